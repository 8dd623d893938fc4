"""Energy over HTTP."""
