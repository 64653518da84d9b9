"""The names that programs written for msgmodel 4 import. Nothing in the library depends on this room.

The modules beside this package with the old names (`core`, `retry`, ...) are doors into it.
"""
