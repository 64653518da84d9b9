"""A reply that is JSON of a wanted shape: its schema, how providers take it, and whether a reply fits.

Pure, and imported only if a caller asks for `output`.
"""
