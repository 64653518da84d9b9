"""A question as data: what is asked, with which files and tools, and the request that carries it.

Pure: no I/O, no clock, no environment. Everything above reads these types; they read nothing above.
"""
