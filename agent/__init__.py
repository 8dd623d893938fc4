"""The program on a provider's machine: it pulls work from a marketplace, runs it in a sandbox and meters it."""

__version__ = "0.1.0"
