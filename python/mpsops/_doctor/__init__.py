"""Whether mpsops can work here, and does."""
