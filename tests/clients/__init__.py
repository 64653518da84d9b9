"""Real clients of other people: how they are installed, what they are run with, and what is said to them."""
