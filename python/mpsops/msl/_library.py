"""Compiled kernel sources, callable on tensors."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import torch

from mpsops import _C

from ._compiler import compile_source

Argument = torch.Tensor | bytes | int | float | bool | None


class Parameter(TypedDict):
    """A parameter of a kernel: `kind` is buffer, threadgroup or builtin."""

    name: str
    kind: str
    index: int
    element_size: int
    read_only: bool


@dataclass(frozen=True)
class ThreadgroupMemory:
    """So many bytes for the next `[[threadgroup(n)]]` argument."""

    bytes: int


class Kernel:
    """One kernel of a :class:`Library`."""

    def __init__(self, library: _C.KernelLibrary, name: str) -> None:
        self._library = library
        self.name = name
        description = library.describe(name)
        self.parameters: list[Parameter] = description["parameters"]
        self.uses_fibers: bool = description["fibers"]

    def __call__(
        self,
        *arguments: Argument | ThreadgroupMemory,
        threads: int | Sequence[int] | None = None,
        threadgroups: int | Sequence[int] | None = None,
        group_size: int | Sequence[int] = 256,
    ) -> None:
        """Runs over `threads`, which need not fill the last group, or over whole `threadgroups`.

        Arguments bind to buffers in order. Numbers become what the parameter's element size says:
        int an integer, float a float or half, bool a bool.
        """
        if (threads is None) == (threadgroups is None):
            raise TypeError("give either threads or threadgroups")
        buffers = {p["index"]: p for p in self.parameters if p["kind"] == "buffer"}
        bound: list[torch.Tensor | bytes | int | None] = []
        index = 0
        for argument in arguments:
            if isinstance(argument, ThreadgroupMemory):
                bound.append(argument.bytes)
                continue
            if isinstance(argument, (int, float)):
                parameter = buffers.get(index)
                bound.append(_number(argument, parameter["element_size"] if parameter else 4))
            else:
                bound.append(argument)
            index += 1
        unit, count = ("threads", threads) if threads is not None else ("threadgroups", threadgroups)
        assert count is not None
        self._library.run(self.name, bound, unit, _size(count), _size(group_size))


class Library:
    """The kernels of one source: `library["name"]`."""

    def __init__(self, path: Path) -> None:
        self._library = _C.KernelLibrary(str(path))
        self.names: list[str] = self._library.names()
        self.checked: bool = self._library.checked

    def __getitem__(self, name: str) -> Kernel:
        if name not in self.names:
            raise KeyError(name)
        return Kernel(self._library, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def compile(
    source: str, *, name: str = "program_source", checked: bool | None = None, include: Sequence[Path] = ()
) -> Library:
    """Compiles Metal Shading Language for the CPU. Raises CompileError with clang's diagnostics.

    A `checked` library reports accesses outside of the bound buffers; by default it is what
    MPSOPS_SIM_CHECK says.
    """
    if checked is None:
        checked = _C.simulator_checked()
    return Library(compile_source(source, name=name, checked=checked, include=include))


def _size(value: int | Sequence[int]) -> list[int]:
    return [value] if isinstance(value, int) else list(value)


def _number(value: float, size: int) -> bytes:
    if isinstance(value, bool):
        return struct.pack("?", value)
    if isinstance(value, int):
        # As C converts: the low bytes of two's complement.
        return (value & ((1 << (8 * size)) - 1)).to_bytes(size, "little")
    return struct.pack("e" if size == 2 else "f", value)
