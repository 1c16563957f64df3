"""Compiled kernel sources, callable on tensors."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import torch

from mpsops import _C

from ._compiler import compile_source
from ._rewriter import Constants

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
        self.buffers = {each["index"]: each for each in self.parameters if each["kind"] == "buffer"}
        self.uses_fibers: bool = description["fibers"]
        self.max_total_threads_per_threadgroup: int = description["max_total_threads_per_threadgroup"]
        self.static_threadgroup_memory_length: int = description["static_threadgroup_memory_length"]

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
        bound: list[torch.Tensor | bytes | int | None] = []
        index = 0
        for argument in arguments:
            if isinstance(argument, ThreadgroupMemory):
                bound.append(argument.bytes)
                continue
            if isinstance(argument, (int, float)):
                parameter = self.buffers.get(index)
                bound.append(_number(argument, parameter["element_size"] if parameter else 4))
            else:
                bound.append(argument)
            index += 1
        unit, count = ("threads", threads) if threads is not None else ("threadgroups", threadgroups)
        assert count is not None
        self._library.run(self.name, bound, unit, _size(count), _size(group_size))

    def run(self, arguments: Sequence[object], threads: Sequence[int], group_size: Sequence[int]) -> None:
        """Runs with arguments that are bound as they are: tensors, bytes, lists of tensors, None."""
        self._library.run(self.name, arguments, "threads", threads, group_size)


class Library:
    """The kernels of one source: `library["name"]`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._library = _C.KernelLibrary(str(path))
        self.names: list[str] = self._library.names()
        self._kernels: dict[str, Kernel] = {}
        self.checked: bool = self._library.checked

    def __getitem__(self, name: str) -> Kernel:
        if name not in self.names:
            raise KeyError(name)
        if name not in self._kernels:
            self._kernels[name] = Kernel(self._library, name)
        return self._kernels[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def load(compiled: Callable[[], Path]) -> Library:
    """The library that `compiled` finds in the cache or makes, also if others evict it at that moment."""
    while True:
        path = compiled()
        try:
            return Library(path)
        except RuntimeError:
            if path.exists():
                raise


def compile(
    source: str,
    *,
    name: str = "program_source",
    checked: bool | None = None,
    include: Sequence[Path] = (),
    defines: Sequence[str] = (),
    constants: Constants | None = None,
) -> Library:
    """Compiles Metal Shading Language for the CPU. Raises CompileError with clang's diagnostics.

    A `checked` library reports accesses outside of the bound buffers; by default it is what
    MPSOPS_SIM_CHECK says. `include` are folders of headers, `defines` macros: `NAME` or `NAME=VALUE`.
    `constants` are the values of function constants, by name or by index; a kernel that needs one without
    a value raises when it is called.
    """
    check = _C.simulator_checked() if checked is None else checked

    def compiled() -> Path:
        return compile_source(
            source, name=name, checked=check, include=include, defines=defines, constants=constants
        )

    return load(compiled)


def _size(value: int | Sequence[int]) -> list[int]:
    return [value] if isinstance(value, int) else list(value)


def _number(value: float, size: int) -> bytes:
    if isinstance(value, bool):
        return struct.pack("?", value)
    if isinstance(value, int):
        # As C converts: the low bytes of two's complement.
        return (value & ((1 << (8 * size)) - 1)).to_bytes(size, "little")
    return struct.pack("e" if size == 2 else "f", value)
