"""A software ``mps`` device, for machines without an Apple GPU.

``install()`` gives the process an ``mps`` device whose memory is the host's and whose ops the CPU
computes. PyTorch does not notice: tensors, autograd, optimizers, ``state_dict``, autocast and
``torch.mps.*`` behave as on a Mac, and what stock PyTorch cannot do there fails here with the same
error. mpsops' Metal kernels run on it, compiled for the CPU.

    >>> import torch, mpsops.simulator
    >>> mpsops.simulator.install()
    >>> torch.ones(2, device="mps") + 1
    tensor([2., 2.], device='mps:0')

``MPSOPS_SIMULATOR=1`` in the environment does the same when ``mpsops`` is imported.
"""

import atexit
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from . import _C
from ._patching import autopatch

__all__ = [
    "check_memory",
    "checked",
    "fallback_calls",
    "fallback_count",
    "host_address",
    "install",
    "is_installed",
    "private_memory",
    "reset_counts",
    "schedule",
    "stand_in_calls",
    "stand_in_count",
    "without_execution",
]

_installed = False


def install() -> None:
    """Give this process a simulated ``mps`` device; a second call does nothing.

    Call it right after ``import torch``: PyTorch settles once, at the first question, whether there is
    an MPS device, and some of its modules (``torch.testing``) ask when they are imported.
    mpsops' kernels are enabled as by ``import mpsops`` on a Mac.

    Raises:
        RuntimeError: if the machine has a real MPS device, or PyTorch already found that there is none.
    """
    global _installed  # noqa: PLW0603
    if _installed:
        return
    if _C.runtime != "sim" or torch.backends.mps.is_built():
        raise RuntimeError("mpsops.simulator.install: this PyTorch has a real MPS device; it is not replaced")
    _C.device.install(torch.version.git_version)
    _complete_torch()
    # A backward pass returns before torch's device thread has freed its Python objects. If that thread has
    # not had the GIL by the time that Python ends, it aborts the process.
    atexit.register(time.sleep, 0.01)
    _installed = True
    autopatch()


def is_installed() -> bool:
    """Whether the ``mps`` device of this process is the simulated one."""
    return _installed


def fallback_calls() -> dict[str, int]:
    """How often each op ran on CPU copies (``PYTORCH_ENABLE_MPS_FALLBACK=1``), by operator name."""
    return _C.device.fallback_calls()


def fallback_count() -> int:
    """How many ops ran on CPU copies since the last :func:`reset_counts`."""
    return sum(fallback_calls().values())


def stand_in_calls() -> dict[str, int]:
    """How often each op of stock PyTorch's MPS backend was computed by its CPU kernel, in place."""
    return _C.device.stand_in_calls()


def stand_in_count() -> int:
    """How many ops of stock PyTorch's MPS backend ran since the last :func:`reset_counts`."""
    return sum(stand_in_calls().values())


def reset_counts() -> None:
    """Set the counters of fallbacks and stand-ins to zero."""
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


@contextmanager
def private_memory() -> Iterator[None]:
    """Let the device say, inside a ``with`` block, that the host cannot reach its memory."""
    _C.device.set_shared_memory(False)
    try:
        yield
    finally:
        _C.device.set_shared_memory(True)


def check_memory(tensor: torch.Tensor) -> None:
    """Check that nothing wrote behind the memory of a tensor on the simulated device.

    Raises:
        RuntimeError: if the guard bytes behind its allocation were overwritten.
    """
    if tensor.untyped_storage().nbytes() > 0:
        _C.device.check_guard(tensor.untyped_storage().data_ptr())


def host_address(tensor: torch.Tensor) -> int:
    """Where the data of a tensor on the simulated device is; ``data_ptr()`` may not be read."""
    return _C.device.host_address(tensor.data_ptr())


def _complete_torch() -> None:
    """What a PyTorch built without MPS lacks in Python, and what it remembers of having no MPS."""
    names = {
        "_has_mps": True,
        "_mps_get_name": lambda: "mpsops simulator",
        "_mps_get_core_count": lambda: os.cpu_count() or 1,
        "_mps_host_alias_storage": _C.device.host_alias_storage,
        "_mps_isCaptureEnabled": lambda: False,
        "_mps_isCapturing": lambda: False,
        "_mps_startCapture": _no_capture,
        "_mps_stopCapture": _no_capture,
    }
    for name, value in names.items():
        setattr(torch._C, name, value)
    mps = torch.backends.mps
    for cached in (mps.is_available, mps.is_macos_or_newer, mps.is_macos13_or_newer, mps.get_name):
        cached.cache_clear()
    mps.get_core_count.cache_clear()
    torch.UntypedStorage.__new__ = staticmethod(_new_storage)  # type: ignore[method-assign]


def _new_storage(cls: type, *args: Any, **kwargs: Any) -> Any:
    """``torch.UntypedStorage(...)``, which without MPS in the build knows no allocator for it."""
    device = kwargs.get("device")
    if device is None or torch.device(device).type != "mps":
        return torch._C.StorageBase.__new__(cls, *args, **kwargs)
    if args and not isinstance(args[0], int):
        return torch.UntypedStorage(*args).mps()
    return torch.empty(args[0] if args else 0, dtype=torch.uint8, device=device).untyped_storage()


def _no_capture(*_: object) -> None:
    raise RuntimeError("mpsops.simulator: GPU traces exist on macOS only")
