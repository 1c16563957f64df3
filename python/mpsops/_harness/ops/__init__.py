"""Calls of every registered overload, in the sizes of :mod:`mpsops._harness.sizes`.

``ops/<family>.py`` has a function ``calls(make, size)`` for each family whose arguments do not simply grow
with its OpInfo sample. It yields ``(function, args, kwargs)``: an overload is a call to measure as it stands;
of any other function, and of the backward pass of either, the registered overloads that it reaches are
recorded.

For ops of policy ``partial`` it may have ``contested(make, size)``: calls that torch's own kernel takes too,
for ``mpsops tune``. It may have tables by overload name: ``bytes_moved`` (benchmarks/traffic.py);
``references``, ``checks`` and ``compared_outputs`` (../correctness.py). ``contiguous_only`` is true where the
op raises for other tensors.
"""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType


def hook(family: str) -> ModuleType | None:
    name = f"{__name__}.{family}"
    return import_module(name) if find_spec(name) else None
