"""A network that stock MPS cannot train, trained: ``python -m mpsops.demo``."""
