"""A software ``mps`` device for machines without an Apple GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from . import _C
from ._patching import autopatch

__all__ = [
    "checked",
    "fallback_count",
    "install",
    "is_installed",
    "reset_counts",
    "schedule",
    "stand_in_count",
    "without_execution",
]

_installed = False


def install() -> None:
    """Give this process an ``mps`` device that computes on the CPU."""
    global _installed
    if _installed:
        return
    _C.device.install(torch.version.git_version)
    torch._C._has_mps = True
    for cached in ("is_available", "is_macos_or_newer", "is_macos13_or_newer", "get_name", "get_core_count"):
        getattr(torch.backends.mps, cached).cache_clear()
    _installed = True
    autopatch()


def is_installed() -> bool:
    """Whether this process' ``mps`` device is the simulated one."""
    return _installed


def fallback_count() -> int:
    """How many ops ran as copying CPU fallbacks since the last :func:`reset_counts`."""
    return sum(_C.device.fallback_calls().values())


def stand_in_count() -> int:
    """How many calls of stock MPS ops the CPU kernels computed."""
    return sum(_C.device.stand_in_calls().values())


def reset_counts() -> None:
    """Set the counters to zero."""
    _C.device.reset_counters()


@contextmanager
def schedule(order: str) -> Iterator[None]:
    """Run kernels in a certain order of threads, simdgroups and threadgroups inside a ``with`` block.

    Args:
        order: ``"forward"``, ``"reverse"`` or ``"random:<seed>"``. A kernel whose result depends on it has
            a race. ``MPSOPS_SIM_SCHEDULE`` sets the order of a whole process.
    """
    before = _C.simulator_schedule()
    _C.simulator_set_schedule(order)
    try:
        yield
    finally:
        _C.simulator_set_schedule(before)


@contextmanager
def checked(on: bool = True) -> Iterator[None]:
    """Check every memory access of kernels inside a ``with`` block; ``MPSOPS_SIM_CHECK=1`` does so always.

    An access outside the buffers of the kernel raises ``RuntimeError`` with kernel, thread and buffer.
    """
    before = _C.simulator_checked()
    _C.simulator_set_checked(on)
    try:
        yield
    finally:
        _C.simulator_set_checked(before)


@contextmanager
def without_execution() -> Iterator[None]:
    """Encode kernels but do not run them inside a ``with`` block, to time the host alone.

    Results of mpsops' ops are uninitialised memory there.
    """
    _C.simulator_set_executing(False)
    try:
        yield
    finally:
        _C.simulator_set_executing(True)
