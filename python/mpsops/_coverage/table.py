"""Every ATen op of the running torch, and what a call of it on MPS comes to."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import torch

from mpsops._patching import OpRow, has_mps
from mpsops._patching import ops as ops_of_mpsops

from . import cpu_path, groups, yaml_file
from .yaml_file import COMPOSITE, Entry

State = Literal["native", "mpsops", "composite", "cpu", "missing"]
STATES: tuple[State, ...] = get_args(State)
MEANING: dict[State, str] = {
    "native": "torch has an MPS kernel",
    "mpsops": "mpsops has one",
    "composite": "made of other ops; runs where they do",
    "cpu": "runs on the CPU",
    "missing": "cannot run",
}

# What the dispatcher is asked for ops that torch's list does not have.
_BACKENDS = ("CPU", "CUDA", "MPS", "SparseCPU", "QuantizedCPU", *sorted(COMPOSITE))


@dataclass(frozen=True)
class AtenRow:
    """One overload.

    Attributes:
        name: ``aten::add.Tensor``.
        group: part of torch, such as ``pooling``.
        state: what a call on MPS comes to: a key of :data:`MEANING`.
        reason: why, in a few words.
    """

    name: str
    group: str
    state: State
    reason: str


def _version() -> str:
    return torch.__version__.split("+", maxsplit=1)[0]


def _has_kernel(name: str, key: str) -> bool:
    return torch._C._dispatch_has_kernel_for_dispatch_key(f"aten::{name}", key)


def _unlisted(name: str) -> Entry:
    return Entry(name, frozenset(key for key in _BACKENDS if _has_kernel(name, key)) or frozenset({""}))


def _outside_the_list(name: str) -> tuple[State, str]:
    """torch registers a few by hand: in Python, of other ops; in C++, what goes to the CPU always."""
    if re.search(r"^MPS: registered at .*\.py:", torch._C._dispatch_dump(f"aten::{name}"), re.MULTILINE):
        return "composite", "made of other ops, in torch's Python"
    return "cpu", "torch runs it on the CPU, on copies"


class Table:
    """States as they are now: enabling and disabling ops of mpsops shows in the next table."""

    def __init__(self) -> None:
        listed = yaml_file.read(yaml_file.path_of_running_torch())
        names = sorted(
            name.removeprefix("aten::")
            for name in torch._C._dispatch_get_all_op_names()
            if name.startswith("aten::")
        )
        self.entries = {name: listed.get(name) or _unlisted(name) for name in names}
        self._forms: dict[str, list[Entry]] = defaultdict(list)
        for entry in self.entries.values():
            self._forms[entry.stem].append(entry)
        self._ours = {row.name.removeprefix("aten::"): row for row in ops_of_mpsops()}
        self._on_cpu = {name.removeprefix("aten::") for name in cpu_path.ops()}
        self._has_mps = has_mps()
        self._rows: dict[str, AtenRow] = {}

    def rows(self) -> list[AtenRow]:
        return [self.row(name) for name in self.entries]

    def row(self, name: str) -> AtenRow:
        name = name.removeprefix("aten::")
        if name not in self._rows:
            entry = self.entries[name]
            self._rows[name] = AtenRow(f"aten::{name}", groups.group_of(entry), *self._state(entry))
        return self._rows[name]

    def _state(self, entry: Entry) -> tuple[State, str]:
        if (ours := self._ours.get(entry.name)) and self._runs_ours(ours, entry):
            if ours.passes_on:
                return "native", f"kernel of torch {_version()}; of mpsops where that one raises"
            return "mpsops", f"kernel of {ours.family}"
        if "MPS" in entry.kernels:
            return "native", f"kernel of torch {_version()}"
        if entry.name in self._on_cpu:
            return "cpu", "by mpsops, on shared memory"
        if entry.base in self.entries:
            if self.row(entry.base).state == "missing":
                return "missing", f"needs {entry.base}"
            return "composite", f"computed by {entry.base}"
        if entry.composite:
            if needed := self._other_form_is_missing(entry):
                return "missing", f"needs {needed}"
            return "composite", "made of other ops"
        if entry.native:
            return "native", f"kernel of torch {_version()}, for sparse tensors"
        if _has_kernel(entry.name, "MPS") and "CPU" in entry.kernels:
            return _outside_the_list(entry.name)
        others = ", ".join(sorted(entry.kernels - {"", "Meta"}))
        return "missing", f"kernels for {others} only" if others else "no kernel in this torch"

    def _other_form_is_missing(self, entry: Entry) -> str | None:
        """`frexp.Tensor` calls `frexp.Tensor_out`, though torch's list does not say so."""
        if "CPU" in entry.kernels:
            return None
        forms = [other for other in self._forms[entry.stem] if "CPU" in other.kernels and not other.composite]
        if not forms or any(self.row(form.name).state != "missing" for form in forms):
            return None
        return forms[0].name

    def _runs_ours(self, ours: OpRow, entry: Entry) -> bool:
        """Without a device, as a Mac would have it after ``import mpsops``."""
        if self._has_mps:
            return ours.state == "enabled"
        return ours.policy == "partial" or (ours.policy == "missing" and not entry.native)


def count(rows: Iterable[AtenRow]) -> dict[State, int]:
    counts = Counter(row.state for row in rows)
    return {state: counts[state] for state in STATES}


def by_group(rows: Iterable[AtenRow]) -> dict[str, dict[State, int]]:
    found: dict[str, list[AtenRow]] = {name: [] for name in groups.NAMES}
    for row in rows:
        found[row.group].append(row)
    return {name: count(members) for name, members in found.items() if members}
