"""A software ``mps`` device, for machines without an Apple GPU.

``install()`` gives the process an ``mps`` device whose memory is the host's and whose ops the CPU
computes. PyTorch does not notice: tensors, autograd, optimizers, ``state_dict``, autocast and
``torch.mps.*`` behave as on a Mac, and what stock PyTorch cannot do there fails here with the same
error. mpsops' Metal kernels run on it, compiled for the CPU.

    >>> import torch, mpsops.simulator
    >>> mpsops.simulator.install()
    >>> torch.ones(2, device="mps") + 1
    tensor([2., 2.], device='mps:0')

``MPSOPS_SIMULATOR=1`` in the environment does the same when ``torch`` is imported, also for programs that
never mention mpsops; ``pytest -p mpsops.simulator`` does it for tests.

PYTEST_DONT_REWRITE: imported before pytest knows of it.
"""

import atexit
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

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
    "time_limit",
    "without_execution",
]

# `pytest -p mpsops.simulator`
pytest_plugins = ["mpsops._pytest_plugin"]

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
def checked(on: bool = True, *, races: bool | Literal["unequal"] = False) -> Iterator[None]:
    """Check every memory access of kernels inside a ``with`` block; ``MPSOPS_SIM_CHECK=1`` does so always.

    What a kernel does wrong raises ``RuntimeError`` with kernel, thread, threadgroup and source line; each
    kind of mistake is in docs/diagnostics.md.

    Args:
        on: whether to check.
        races: find data races, too, of threads of one threadgroup and of different ones. With
            ``"unequal"``, two stores of the same value are none. Threadgroups then run one after another,
            slowly. ``MPSOPS_SIM_RACES=1`` or ``unequal`` does so always.
    """
    if races and not on:
        raise ValueError("mpsops.simulator.checked: races must be False where on is False")
    before = _C.simulator_checked(), _C.simulator_races()
    _C.simulator_set_checked(on)
    _C.simulator_set_races(races if isinstance(races, str) else str(int(races)))
    try:
        yield
    finally:
        _C.simulator_set_checked(before[0])
        _C.simulator_set_races(before[1])


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Set after how long a kernel is taken to hang, inside a ``with`` block.

    ``MPSOPS_SIM_TIMEOUT`` does so always.

    A thread of a kernel without barriers, or a threadgroup of another, that takes longer raises
    ``RuntimeError``. In kernels that are not checked and have no barriers, some threadgroups count as one.

    Args:
        seconds: of processor time; 0 for no limit; ``None`` for 60 in checked kernels and no limit in others.
    """
    if seconds is not None and not seconds >= 0:
        raise ValueError(f"mpsops.simulator.time_limit: seconds must be 0 or more, got {seconds}")
    before = _C.simulator_time_limit()
    _C.simulator_set_time_limit(seconds)
    try:
        yield
    finally:
        _C.simulator_set_time_limit(before)


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
    from ._shader import MetalKernel, ShaderLibrary, refuse_metallib

    names = {
        "_has_mps": True,
        "_mps_get_name": lambda: "mpsops simulator",
        "_mps_get_core_count": lambda: os.cpu_count() or 1,
        "_mps_host_alias_storage": _C.device.host_alias_storage,
        "_mps_isCaptureEnabled": lambda: False,
        "_mps_isCapturing": lambda: False,
        "_mps_startCapture": _no_capture,
        "_mps_stopCapture": _no_capture,
        "_mps_compileShader": ShaderLibrary,
        "_mps_loadMetalllib": refuse_metallib,
        "_mps_loadMetallibFromPath": refuse_metallib,
        "_mps_ShaderLibrary": ShaderLibrary,
        "_mps_MetalKernel": MetalKernel,
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
