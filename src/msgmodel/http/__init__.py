"""Bytes to and from a server: connections in both colors, their time limits, and their faults as `Broken`.

A reply never depends on how it was fetched: every transport keeps the protocols of `question.transport`.
"""
