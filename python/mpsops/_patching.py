"""Which of mpsops' kernels sit on torch's MPS dispatch key, and why."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, cast

import torch

from . import _C

Policy = Literal["missing", "partial", "faster"]
State = Literal["enabled", "disabled", "native", "absent"]

DEFAULT_POLICIES: tuple[Policy, ...] = ("missing", "partial")
TUNED = "tuned"

# Of ops that stand as enable("tuned") left them: why.
_tuned: dict[str, str] = {}


@dataclass(frozen=True)
class OpRow:
    """One overload that mpsops implements, and where it stands in the running torch.

    Attributes:
        name: schema name with overload, ``aten::mode`` or ``aten::mode.values``.
        family: stem of its files, ``metal/<family>.metal`` and ``csrc/ops/<family>.cpp``.
        policy: ``missing`` (torch has no MPS kernel), ``partial`` (torch's raises for some inputs) or
            ``faster`` (torch's works; ours is opt-in).
        state: ``enabled``; ``disabled``; ``native`` (torch has its own kernel, ours stands back);
            ``absent`` (the running torch has no such op).
        reason: why the state is what it is, in one sentence.
        dtypes: dtypes of the first tensor argument that the kernel takes, by torch's names.
        opinfo: entries of PyTorch's OpInfo database that exercise it.
        max_dispatches: the most Metal kernels that one call launches.
        passes_on: whether mpsops' kernel is for what torch's refuses, and torch's still does the rest.
        limits: after ``enable("tuned")``: the calls that mpsops' kernel gets, as (dtype of the first tensor,
            fewest elements of the largest, most elements); None: all of them.
        calls: how often it ran in this process; what went to torch's kernel does not count.
        dispatches: how many Metal kernels those calls launched.
    """

    name: str
    family: str
    policy: Policy
    state: State
    reason: str
    dtypes: tuple[str, ...]
    opinfo: tuple[str, ...]
    max_dispatches: int
    passes_on: bool
    limits: tuple[tuple[str, int, int], ...] | None
    calls: int
    dispatches: int


def has_mps() -> bool:
    # is_built() first: asking for availability settles it for good, and the simulator may come later.
    return torch.backends.mps.is_built() and torch.backends.mps.is_available()


def _wanted(op: "_C.Op") -> bool:
    """Whether enabling makes sense: the op exists, and a missing one is really missing."""
    return op.exists and not (op.policy == "missing" and op.native)


def _state(op: "_C.Op") -> tuple[State, str]:
    version = torch.__version__.split("+")[0]
    if not op.exists:
        return "absent", f"torch {version} has no such op"
    if op.name in _tuned:
        return "enabled" if op.enabled else "disabled", _tuned[op.name]
    if op.enabled:
        if op.policy == "missing":
            return "enabled", f"torch {version} has no MPS kernel for it"
        return "enabled", op.reason
    if op.policy == "missing" and op.native:
        return "native", f"torch {version} has its own MPS kernel"
    if not has_mps():
        return "disabled", "no MPS device in this process"
    if op.policy == "faster":
        return "disabled", "opt-in: mpsops.enable() by name"
    return "disabled", "not enabled"


def ops() -> list[OpRow]:
    """Every overload that mpsops implements, sorted by name, with its state and the reason for it."""
    rows = []
    for op in _C.ops():
        state, reason = _state(op)
        rows.append(
            OpRow(
                name=op.name,
                family=op.family,
                policy=cast("Policy", op.policy),
                state=state,
                reason=reason,
                dtypes=tuple(op.dtypes),
                opinfo=tuple(op.opinfo),
                max_dispatches=op.max_dispatches,
                passes_on=op.passes_on,
                limits=None if op.limits is None else tuple(op.limits),
                calls=op.calls,
                dispatches=op.dispatches,
            )
        )
    return sorted(rows, key=lambda row: row.name)


def _matches(op: "_C.Op", name: str) -> bool:
    """A name selects a family, an op with all overloads, or one overload; ``aten::`` may be left out."""
    schema = op.name.removeprefix("aten::")
    name = name.removeprefix("aten::")
    return name in {op.family, schema, schema.split(".")[0]}


def _select(names: tuple[str, ...], policies: tuple[Policy, ...]) -> "list[_C.Op]":
    if not names:
        return [op for op in _C.ops() if op.policy in policies]
    selected: dict[str, _C.Op] = {}
    for name in names:
        found = [op for op in _C.ops() if _matches(op, name)]
        if not found:
            raise ValueError(f"mpsops has no op or family {name!r}: see mpsops.ops()")
        selected.update((op.name, op) for op in found)
    return list(selected.values())


def enable(*names: str, cpu_path: bool | None = None) -> None:
    """Register mpsops' kernels on the MPS dispatch key, and the CPU path for ops without any kernel there.

    Args:
        names: ops (``"mode"``, ``"aten::mode"``), single overloads (``"mode.values"``) or families
            (``"adaptive_avg_pool"``). None given: all of policy ``missing`` and ``partial``.
            Ops of policy ``faster`` are enabled only by name.
            ``"tuned"``, alone: all of policy ``missing``; of the others, what ``mpsops tune`` measured to be
            right and faster than torch's kernel, on this machine with these versions. The rest is torch's,
            but for what its kernel refuses. Without such measurements it warns, and nothing is faster.
        cpu_path: whether ops with a CPU kernel and none on MPS run on the CPU, on the memory that GPU and CPU
            share. By default, without ``names``: yes, unless ``MPSOPS_CPU_PATH=0`` is in the environment;
            with ``names``: as it was. It covers the ops that torch knows at the time of the call.

    An op of policy ``missing`` that the running torch has on MPS stays torch's. Enabling twice is the
    same as once.

    Raises:
        ValueError: a name selects nothing, or ``"tuned"`` is not alone; then nothing was changed.
        RuntimeError: the process has no MPS device.
    """
    if not has_mps():
        raise RuntimeError(
            "mpsops.enable: torch must have an MPS device, got none "
            "(on Linux: mpsops.simulator.install() makes a simulated one)"
        )
    if TUNED in names and len(names) > 1:
        raise ValueError(f"mpsops.enable: {TUNED!r} must be alone, got {', '.join(map(repr, names))}")
    if cpu_path is None and names in {(), (TUNED,)}:
        cpu_path = os.environ.get("MPSOPS_CPU_PATH", "1") != "0"
    if names == (TUNED,):
        _enable_tuned()
    else:
        for op in _select(names, DEFAULT_POLICIES):
            if _wanted(op):
                op.enable()
                _tuned.pop(op.name, None)
    if cpu_path is not None:
        _set_cpu_path(cpu_path)


def _enable_tuned() -> None:
    from ._tuning import decision, setup, store

    here = setup.this_setup()
    try:
        tuning = store.load(here)
    except store.UnusableError as error:
        tuning = store.Tuning(here)
        text = f"mpsops: 'tuned': {error}. Until then, no kernel counts as faster than torch's"
        warnings.warn(text, RuntimeWarning, stacklevel=3)
    for op in _C.ops():
        if _wanted(op):
            choice = decision.decide(op, tuning.of(op.name))
            if choice.on:
                op.enable(choice.limits)
            else:
                op.disable()
            if decision.contested(op):
                _tuned[op.name] = choice.reason


def _set_cpu_path(on: bool) -> None:
    if on:
        _C.cpu_path_enable()
    else:
        _C.cpu_path_disable()


def disable(*names: str) -> None:
    """Take mpsops' kernels off the MPS dispatch key again; torch is as it was before.

    Args:
        names: as in :func:`enable`. None given: every op that is enabled, and the CPU path.

    Raises:
        ValueError: a name selects nothing; then nothing was changed.
    """
    for op in _select(names, ("missing", "partial", "faster")):
        op.disable()
        _tuned.pop(op.name, None)
    if not names:
        _set_cpu_path(False)


@contextmanager
def patched(*names: str, cpu_path: bool | None = None) -> Iterator[None]:
    """Enable ops (as :func:`enable`) for the length of a ``with`` block, then restore what was.

    Registration is per process: other threads see it too.
    """
    before = {op.name: op.limits for op in _C.ops() if op.enabled}
    tuned_before = dict(_tuned)
    cpu_path_before = _C.cpu_path_enabled()
    enable(*names, cpu_path=cpu_path)
    try:
        yield
    finally:
        _set_cpu_path(cpu_path_before)
        for op in _C.ops():
            if op.name in before:
                op.enable(before[op.name])
            else:
                op.disable()
        _tuned.clear()
        _tuned.update(tuned_before)


@dataclass(frozen=True)
class CpuPathCalls:
    """What an op cost on the CPU path.

    Attributes:
        calls: how often it ran there since the last :func:`reset_counts`.
        bytes_copied: of results that a CPU kernel had put into other memory; 0 for nearly all ops.
    """

    calls: int
    bytes_copied: int


def cpu_path_calls() -> dict[str, CpuPathCalls]:
    """The ops that ran on the CPU path in this process, by name: ``{"aten::take": ...}``."""
    return {name: CpuPathCalls(*counts) for name, counts in _C.cpu_path_calls().items()}


def reset_counts() -> None:
    """Set the counts of every op, and of the CPU path, back to zero."""
    for op in _C.ops():
        op.reset_counts()
    _C.cpu_path_reset_calls()


def autopatch() -> None:
    """What ``import mpsops`` does: enable the defaults where there is an MPS device.

    ``MPSOPS_AUTOPATCH=0`` in the environment turns it off, ``MPSOPS_AUTOPATCH=tuned`` makes it
    ``enable("tuned")``.
    """
    wanted = os.environ.get("MPSOPS_AUTOPATCH", "1")
    if wanted != "0" and has_mps():
        enable(*([TUNED] if wanted == TUNED else []))
