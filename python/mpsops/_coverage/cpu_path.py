"""The ops that mpsops runs on the CPU, on the memory that it shares with the GPU."""

from mpsops import _C

# A build of mpsops without the CPU path has neither function.
_ops = getattr(_C, "cpu_path_ops", list)
_calls = getattr(_C, "cpu_path_calls", dict)


def ops() -> frozenset[str]:
    """Their names with ``aten::``."""
    return frozenset(_ops())


def bytes_copied() -> int:
    """In this process, where memory could not be shared."""
    return sum(size for _, size in _calls().values())
