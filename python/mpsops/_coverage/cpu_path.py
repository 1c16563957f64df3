"""The ops that mpsops runs on the CPU, on the memory that it shares with the GPU."""

from mpsops import _C


def ops() -> frozenset[str]:
    """Their names with ``aten::``."""
    return frozenset(_C.cpu_path_ops())


def bytes_copied() -> int:
    """In this process, where memory could not be shared."""
    return sum(size for _, size in _C.cpu_path_calls().values())
