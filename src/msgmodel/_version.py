"""The version, where the build and the code both read it."""

__version__ = "5.3.0"
