"""Other people's libraries, each at its newest version in an environment of its own."""
