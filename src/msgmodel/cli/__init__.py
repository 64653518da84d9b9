"""The command line: `msgmodel`. It calls the public functions as any program does, and knows no wire.

Rule: a reply goes to standard output, and every message about it to standard error. No command shows a key. Packages
that are slow to import (rich, prompt_toolkit) are imported in the functions that use them.
"""
