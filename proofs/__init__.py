"""What is claimed about this library, shown on real parts: each module is a proof that anyone can run."""
