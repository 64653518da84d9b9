"""Other libraries, each at its newest version in its own environment."""
