"""Runs of kernels from collections that are not in this repository: their sources come from a folder.

`MPSOPS_TORCH_SOURCE` is a checkout of PyTorch, `MPSOPS_MLX_SOURCE` one of MLX; without it their cases skip.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import torch
from exec_support import msl

Argument = torch.Tensor | bytes | int | float | bool | msl.ThreadgroupMemory | None


@dataclass(frozen=True)
class Run:
    """One dispatch, and what is in its buffers afterwards.

    Attributes:
        kernel: its host name.
        arguments: as the collection's host code binds them; tensors are on the CPU.
        expected: results in float64, by the position of the argument.
        size: threads, or threadgroups if `groups`.
        group_size: threads of a threadgroup.
        groups: whether `size` counts threadgroups.
    """

    kernel: str
    arguments: Sequence[Argument]
    expected: dict[int, torch.Tensor]
    size: int | Sequence[int]
    group_size: int | Sequence[int] = 64
    groups: bool = False


Cases = Callable[[], Iterator[Run]]


@dataclass(frozen=True)
class Family:
    """The runs of a source file of a collection."""

    collection: str
    file: str
    cases: Cases


FAMILIES: list[Family] = []
_FOLDERS = {
    "torch": ("MPSOPS_TORCH_SOURCE", "aten/src/ATen/native/mps/kernels", ("aten/src", ".")),
    "mlx": ("MPSOPS_MLX_SOURCE", "mlx/backend/metal/kernels", (".",)),
}


def family(collection: str, file: str) -> Callable[[Cases], Cases]:
    def register(cases: Cases) -> Cases:
        FAMILIES.append(Family(collection, file, cases))
        return cases

    return register


@cache
def library(collection: str, file: str) -> msl.Library:
    """The kernels of a file, checked; skips where the collection is not at hand, or lacks the file."""
    variable, folder, include = _FOLDERS[collection]
    root = os.environ.get(variable)
    if root is None:
        pytest.skip(f"{variable} names no checkout with {folder}/{file}")
    path = Path(root) / folder / file
    if not path.is_file():
        pytest.skip(f"{path} is not in this version")
    folders = [path.parent, *(Path(root) / each for each in include)]
    return msl.compile(path.read_text(), name=file, checked=True, include=folders)


def check(kernels: msl.Library, run: Run) -> None:
    """The dispatch leaves what is expected in its outputs, and its inputs as they were."""
    on_device = [each.to("mps") if isinstance(each, torch.Tensor) else each for each in run.arguments]
    size = {"threadgroups" if run.groups else "threads": run.size}
    kernels[run.kernel](*on_device, **size, group_size=run.group_size)
    for position, given in enumerate(run.arguments):
        if not isinstance(given, torch.Tensor):
            continue
        found = on_device[position].cpu()
        if position in run.expected:
            expected = run.expected[position].to(given.dtype)
            torch.testing.assert_close(found.reshape(expected.shape), expected, equal_nan=True)
        else:
            assert torch.equal(found, given), f"argument {position} of {run.kernel} changed"
