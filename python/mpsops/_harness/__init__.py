"""How a call is measured and judged: shared by ``mpsops tune``, which users have, and ``benchmarks/``.

``ops/<family>.py`` has realistic arguments for each family of ops.
"""
