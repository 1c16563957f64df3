"""A software ``mps`` device for machines without an Apple GPU."""

from __future__ import annotations

import torch

from . import _C
from ._patching import autopatch

__all__ = ["fallback_count", "install", "is_installed", "reset_counts", "stand_in_count"]

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
