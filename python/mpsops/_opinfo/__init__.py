"""Samples of ops: PyTorch's OpInfo database, and entries of ours for ops that it lacks.

``_opinfo/<family>.py`` has the entries of a family, in a list ``op_db``, as torch's database has them. Tests,
benchmarks and ``mpsops doctor`` find an entry by the name in the registration of the op. Importing an entry
imports ``torch.testing._internal``, which wants packages that few users have: ask :func:`available` first.
"""

import pkgutil
from functools import cache
from importlib import import_module
from typing import Any


def available() -> bool:
    try:
        import_module("torch.testing._internal.common_methods_invocations")
    except ImportError:
        return False
    return True


def not_implemented(kernel: str, dtype: Any) -> NotImplementedError:
    """What a CPU kernel raises for a dtype, for entries whose CPU result is computed in Python."""
    import torch

    name = torch.empty(0, dtype=dtype).type().removeprefix("torch.").removesuffix("Tensor")
    return NotImplementedError(f"\"{kernel}\" not implemented for '{name}'")


@cache
def _database() -> tuple[Any, ...]:
    from torch.testing._internal.common_methods_invocations import op_db

    ours = [import_module(f"{__name__}.{module.name}").op_db for module in pkgutil.iter_modules(__path__)]
    return (*op_db, *(info for entries in ours for info in entries))


def find(name: str) -> list[Any]:
    """The entries of a name: one by its full name (with variant), or all variants of it."""
    return [info for info in _database() if name in {info.full_name, info.name}]
