"""The command line: `msgmodel`. It is a caller of the six functions like any other, and knows no wire.

Rule: a reply goes to standard output, everything that is said about it to standard error. No key is ever taken from
the command line, or shown. What is slow to import (rich, prompt_toolkit) is imported where it is used.
"""
