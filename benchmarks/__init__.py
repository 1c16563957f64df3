"""Measurements of mpsops. Each module runs by itself: ``python -m benchmarks.<name>``."""
