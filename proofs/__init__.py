"""Proofs of the claims about this library, on real parts. Each module is a program that anyone can run."""
