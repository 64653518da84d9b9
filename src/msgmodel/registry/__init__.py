"""Providers: who can be asked, at which address, in which dialect, under which terms, and whose key is where.

To add a provider that speaks a known wire, add one row to `rows`. `environment` alone reads the environment.
"""
