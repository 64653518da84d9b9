"""Other people's libraries, each at its newest version in an environment of its own, as their pins contradict each other."""
