"""Which ATen ops a model calls, forward and backward, and what each comes to on MPS."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

if TYPE_CHECKING:
    from rich.table import Table

    from ._coverage.table import State


_NO_KERNEL = re.compile(r"The operator '([^']+)' is not currently implemented for the MPS device")


@dataclass(frozen=True)
class CoverageRow:
    """One op of the model.

    Attributes:
        name: with overload, ``aten::mode``.
        calls: in one forward and backward.
        state: ``native``, ``mpsops``, ``composite``, ``cpu`` or ``missing``; ``other`` for what is not
            ATen's.
        reason: why, in a few words.
    """

    name: str
    calls: int
    state: State | str
    reason: str


@dataclass(frozen=True)
class Coverage:
    """What :func:`coverage` found; prints as a table in terminals and notebooks.

    Attributes:
        rows: the ops that cannot run first, then by calls.
        device: where the model ran.
        backward: whether there was a backward.
        bytes_copied: by ops on the CPU, where they could not share the device's memory.
    """

    rows: tuple[CoverageRow, ...]
    device: str
    backward: bool
    bytes_copied: int = 0

    @property
    def missing(self) -> tuple[CoverageRow, ...]:
        """What stops the model on MPS."""
        return tuple(row for row in self.rows if row.state == "missing")

    def summary(self) -> str:
        counts = Counter(row.state for row in self.rows)
        parts = ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))
        what = "forward and backward" if self.backward else "forward"
        note = "" if self.device == "mps" else "; on MPS torch may choose other ops in places"
        copied = f"; {self.bytes_copied:,} bytes copied for the CPU" if self.bytes_copied else ""
        return f"{len(self.rows)} ops in {what} on {self.device}: {parts}{copied}{note}."

    def __str__(self) -> str:
        width = max((len(row.name) for row in self.rows), default=0)
        lines = [f"{row.name:{width}}  {row.calls:>5}  {row.state:9}  {row.reason}" for row in self.rows]
        return "\n".join([*lines, self.summary()])

    __repr__ = __str__

    def __rich__(self) -> Table:
        from ._coverage.show import rich_table

        return rich_table(self)

    def _repr_html_(self) -> str:
        from ._coverage.show import html

        return html(self)


def coverage(model: Callable[..., Any], *inputs: Any, **kwargs: Any) -> Coverage:
    """Run a model once, forward and, where its result requires grad, backward, and tell op by op whether
    MPS has it.

    An op that stops a model on MPS does not stop this: it is computed on the CPU instead, once, so that one
    run finds all of them. Gradients of parameters and inputs stay as they are; buffers, such as the
    statistics of batch norm, change as in any forward.

    Args:
        model: a module, or any function of tensors.
        inputs: positional arguments of its call, on the device where it is.
        kwargs: keyword arguments.

    Raises:
        Exception: whatever the model raises for other reasons.
    """
    from ._coverage import cpu_path
    from ._coverage.table import Table

    copied_before = cpu_path.bytes_copied()
    with _Recorder() as recorder:
        results = [leaf for leaf in tree_leaves(model(*inputs, **kwargs)) if isinstance(leaf, torch.Tensor)]
        backward = _run_backward(results, _leaves(model, (inputs, kwargs)))
    table = Table()
    rows = []
    for name, calls in recorder.calls.items():
        if name in recorder.failed:
            rows.append(CoverageRow(name, calls, "missing", recorder.failed[name]))
        elif name.removeprefix("aten::") in table.entries:
            found = table.row(name)
            rows.append(CoverageRow(name, calls, found.state, found.reason))
        else:
            rows.append(CoverageRow(name, calls, "other", "not an op of ATen"))
    rows.sort(key=lambda row: (row.state != "missing", -row.calls, row.name))
    copied = cpu_path.bytes_copied() - copied_before
    return Coverage(tuple(rows), recorder.device, backward, copied)


def _leaves(model: object, inputs: object) -> list[torch.Tensor]:
    parameters = list(model.parameters()) if isinstance(model, torch.nn.Module) else []
    tensors = [leaf for leaf in tree_leaves(inputs) if isinstance(leaf, torch.Tensor)]
    return [tensor for tensor in (*parameters, *tensors) if tensor.requires_grad]


def _run_backward(results: list[torch.Tensor], leaves: list[torch.Tensor]) -> bool:
    """Without writing to anybody's ``.grad``."""
    tracked = [result for result in results if result.requires_grad]
    if not tracked or not leaves:
        return False
    torch.autograd.grad(tracked, leaves, [torch.ones_like(t) for t in tracked], allow_unused=True)
    return True


class _Recorder(TorchDispatchMode):
    """Counts below autograd, whose own threads carry the mode too."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: Counter[str] = Counter()
        self.failed: dict[str, str] = {}
        self.device = "cpu"

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        overload = func._schema.overload_name
        name = func._schema.name + (f".{overload}" if overload else "")
        self.calls[name] += 1
        try:
            result = func(*args, **kwargs)
        except NotImplementedError as error:
            # mpsops' and torch's texts for inputs that a kernel does not take go to the caller.
            stopped = _NO_KERNEL.search(str(error))
            if stopped is None:
                raise
            self.failed[name] = "no MPS kernel" if stopped[1] == name else f"needs {stopped[1]}"
            result = _on_cpu(func, args, kwargs)
        if any(isinstance(leaf, torch.Tensor) and leaf.is_mps for leaf in tree_leaves(result)):
            self.device = "mps"
        return result


def _on_cpu(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The op on copies; what it wrote, and what it returns of that, are the caller's tensors."""
    originals: dict[int, torch.Tensor] = {}

    def copied(leaf: Any) -> Any:
        if isinstance(leaf, torch.device):
            return torch.device("cpu")
        if not isinstance(leaf, torch.Tensor):
            return leaf
        copy = leaf.cpu()
        originals[id(copy)] = leaf
        return copy

    def returned(leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor):
            return leaf
        return originals[id(leaf)] if id(leaf) in originals else leaf.to("mps")

    cpu_args, cpu_kwargs = tree_map(copied, (args, kwargs))
    result = func(*cpu_args, **cpu_kwargs)
    given = dict(zip((argument.name for argument in func._schema.arguments), cpu_args, strict=False))
    for argument in func._schema.arguments:
        if argument.alias_info is not None and argument.alias_info.is_write:
            for leaf in tree_leaves((given | cpu_kwargs).get(argument.name)):
                if id(leaf) in originals:
                    originals[id(leaf)].copy_(leaf)
    return tree_map(returned, result)
