"""Runs of kernels from collections that are not in this repository: their sources come from a folder.

`MPSOPS_TORCH_SOURCE` is a checkout of PyTorch, `MPSOPS_MLX_SOURCE` one of MLX; without it their cases skip.
Some headers of the installed torch have kernels, too. Kernels and bindings change from version to version:
cases say which text their version of the file has.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
import torch
from exec_support import msl, schedule

from mpsops.msl import _survey


@dataclass(frozen=True)
class Pointers:
    """An argument buffer: the addresses of tensors, 0 for None."""

    tensors: Sequence[torch.Tensor | None]


Argument = torch.Tensor | Pointers | bytes | int | float | bool | msl.ThreadgroupMemory | None


@dataclass(frozen=True)
class Run:
    """One dispatch, and what is in its buffers afterwards.

    Attributes:
        kernel: its host name.
        arguments: as the collection's host code binds them; tensors are on the CPU.
        expected: results in float64, by the position of the argument, and the one in its `Pointers`.
        size: threads, or threadgroups if `groups`.
        group_size: threads of a threadgroup.
        groups: whether `size` counts threadgroups.
        types: what the host code puts into a source that is a format string.
        roundings: how often the kernel rounds a partial result to the type of its outputs.
        unspecified: elements that no value is right or wrong for, by the position of the argument.
        finds: what the simulator must say with threads in order, because the kernel has this mistake.
    """

    kernel: str
    arguments: Sequence[Argument]
    expected: dict[int | tuple[int, int], torch.Tensor]
    size: int | Sequence[int]
    group_size: int | Sequence[int] = 64
    groups: bool = False
    types: tuple[str, ...] = ()
    roundings: int = 0
    unspecified: dict[int, torch.Tensor] = field(default_factory=dict)
    finds: str = ""


Cases = Callable[[], Iterator[Run]]


@dataclass(frozen=True)
class Family:
    """The runs of a source file of a collection.

    Attributes:
        fits: a text that the versions of the file have that the cases are for.
        instances: what to instantiate of a header, instead of all that it does.
    """

    collection: str
    file: str
    fits: str
    instances: str
    cases: Cases

    def __str__(self) -> str:
        return f"{self.collection}-{self.file}" + (f"-{self.cases.__name__}" if self.fits else "")


FAMILIES: list[Family] = []
_KERNELS = "aten/src/ATen/native/mps"
_FOLDERS = {
    "torch": ("MPSOPS_TORCH_SOURCE", f"{_KERNELS}/kernels", ("aten/src", ".")),
    "torch-headers": ("", "ATen/native/mps/kernels", (".",)),
    "torch-strings": ("MPSOPS_TORCH_SOURCE", "aten/src/ATen", ()),
    "mlx": ("MPSOPS_MLX_SOURCE", "mlx/backend/metal/kernels", (".",)),
}


def _root(variable: str) -> Path | None:
    """The folder that it names; without a variable, the headers of the installed torch."""
    if not variable:
        return Path(torch.__file__).parent / "include"
    return Path(os.environ[variable]) if variable in os.environ else None


def family(collection: str, file: str, fits: str = "", instances: str = "") -> Callable[[Cases], Cases]:
    def register(cases: Cases) -> Cases:
        FAMILIES.append(Family(collection, file, fits, instances, cases))
        return cases

    return register


def source(collection: str, file: str) -> Path:
    """The file; skips where the collection is not at hand, or lacks it."""
    variable, folder, _ = _FOLDERS[collection]
    root = _root(variable)
    if root is None:
        pytest.skip(f"{variable} names no checkout with {folder}/{file}")
    path = root / folder / file
    if not path.is_file():
        pytest.skip(f"{path} is not in this version")
    return path


def _header(path: Path) -> str:
    """A header and those beside it that it includes, without what it instantiates."""
    text = re.sub(
        r"#include <ATen/native/mps/kernels/(\w+\.h)>",
        lambda found: _header(path.parent / found[1]),
        path.read_text().replace("#pragma once", ""),
    )
    # A call by itself, not one in the definition of a macro.
    return re.sub(r"(?im)(?<!\\\n)^\s*instantiate\w*\([^\\\n]*\);?\s*$", "", text)


@cache
def library(collection: str, path: Path, line: int, types: tuple[str, ...], instances: str) -> msl.Library:
    """The kernels of a file, of the string at `line` of it, or of a header, checked."""
    variable, _, include = _FOLDERS[collection]
    if instances:
        includes = ("c10/metal/utils.h", "metal_simdgroup", "metal_stdlib")
        begin = "".join(f"#include <{each}>\n" for each in includes) + "using namespace metal;\n"
        text = begin + _header(path) + instances
    else:
        text = next(each.text for each in _survey.find(path) if each.line == line)
    root = _root(variable)
    folders = [path.parent, *(root / each for each in include if root is not None)]
    return msl.compile(
        text.format(*types) if types else text, name=f"{path.name}:{line}", checked=True, include=folders
    )


def check(family: Family, run: Run) -> None:
    """The dispatch leaves what is expected in its outputs, and its inputs as they were."""
    path = source(family.collection, family.file)
    strings = [] if family.instances else list(_survey.find(path))
    # A program has several; its kernels are plain functions.
    lines = [each.line for each in strings if len(strings) == 1 or f"void {run.kernel}(" in each.text]
    line = 1 if family.instances else lines[0]
    kernel = library(family.collection, path, line, run.types, family.instances)[run.kernel]
    on_device: list[object] = []
    nowhere = torch.empty(0, device="mps")
    found: dict[int | tuple[int, int], tuple[torch.Tensor, torch.Tensor]] = {}
    for position, given in enumerate(run.arguments):
        if isinstance(given, torch.Tensor):
            found[position] = given, given.to("mps")
            on_device.append(found[position][1])
        elif isinstance(given, Pointers):
            for entry, each in enumerate(given.tensors):
                if each is not None:
                    found[position, entry] = each, each.to("mps")
            places = [(position, entry) for entry in range(len(given.tensors))]
            on_device.append([found[place][1] if place in found else nowhere for place in places])
        else:
            on_device.append(given)
    size = {"threadgroups" if run.groups else "threads": run.size}
    if run.finds:
        with schedule("forward"), pytest.raises(RuntimeError, match=run.finds):
            kernel(*on_device, **size, group_size=run.group_size)
        return
    kernel(*on_device, **size, group_size=run.group_size)
    assert run.expected.keys() <= found.keys(), f"{run.kernel} has no such argument"
    for key, (before, tensor) in found.items():
        after = tensor.cpu()
        if key in run.expected:
            expected = run.expected[key].to(before.dtype)
            after = after.reshape(expected.shape)
            if key in run.unspecified:
                after, expected = (each[~run.unspecified[key]] for each in (after, expected))
            close = _tolerance(expected, run.roundings)
            torch.testing.assert_close(after, expected, equal_nan=True, **close)
        else:
            same = [each.contiguous().view(torch.uint8) for each in (after, before)]
            assert torch.equal(*same), f"argument {key} of {run.kernel} changed"


def _tolerance(expected: torch.Tensor, roundings: int) -> dict[str, float]:
    """The usual one, and half a unit in the last place of the largest result for every rounding."""
    if not roundings:
        return {}
    relative = {torch.float32: 1.3e-6, torch.float16: 1e-3, torch.bfloat16: 1.6e-2}[expected.dtype]
    rounding = torch.finfo(expected.dtype).eps / 2 * expected.abs().max().item()
    return {"rtol": relative, "atol": 1e-5 + roundings * rounding}
