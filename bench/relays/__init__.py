"""Small servers that relay a provider's stream, and the readers of all of them: see bench/relay.py."""
