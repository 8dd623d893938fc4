"""The scheduler over HTTP: jobs, quotes, rounds, files and the agents' protocol."""
