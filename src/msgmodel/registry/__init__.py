"""Providers: their addresses, dialects, privacy terms, and the places of their keys.

To add a provider that speaks a known wire, add one row to `rows`. Only `environment` reads the environment.
"""
