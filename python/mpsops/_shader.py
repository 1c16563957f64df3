"""What ``torch.mps.compile_shader`` returns, on the simulator: torch's calling convention and its errors.

The rules are those of torch's own bindings (torch/csrc/mps/Module.cpp, MetalShaderLibrary.h): arguments bind
by position, the first tensor says how many threads there are, Python's int is 64 bits wide and its float 32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import torch

from mpsops import _C

from ._shader_values import Casts, address_list, unable_to_cast
from .msl._compiler import SourceError, compile_source
from .msl._library import Library, load
from .msl._tokens import TranslateError

_MOST_THREADS = 2**32 - 1  # along each axis: positions in the grid are 32-bit
_CPU_SCALARS = {torch.float64: torch.float32, torch.complex128: torch.complex64}


class ShaderLibrary:
    """The kernels of one source, as attributes; ``dir()`` lists them."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._libraries: dict[bool, Library] = {}
        self._kernels: dict[str, MetalKernel] = {}
        self._library()

    def _library(self) -> Library:
        """What the simulator's settings ask for: the kernels with or without checks of their accesses."""
        checked = _C.simulator_checked()
        if checked not in self._libraries:
            try:
                self._libraries[checked] = load(lambda: compile_source(self._source, checked=checked))
            except SourceError as error:
                raise SyntaxError(error.diagnostics) from None
            except TranslateError as error:
                raise SyntaxError(str(error)) from None
        return self._libraries[checked]

    def __getattr__(self, name: str) -> MetalKernel:
        if name.startswith("_") and name.strip("_") in {"source", "libraries", "kernels"}:
            raise AttributeError(name)  # asked before __init__, by pickle and copy
        if name not in self._kernels:
            if name not in self._library().names:
                raise RuntimeError(f"Failed to create function state object for: {name}")
            self._kernels[name] = MetalKernel(self, name)
        return self._kernels[name]

    def __dir__(self) -> list[str]:
        return list(self._library().names)


class MetalKernel:
    """One kernel of a :class:`ShaderLibrary`."""

    def __init__(self, library: ShaderLibrary, name: str) -> None:
        self._shaders = library
        self._name = name

    @property
    def max_threads_per_threadgroup(self) -> int:
        return self._shaders._library()[self._name].max_total_threads_per_threadgroup

    @property
    def thread_execution_width(self) -> int:
        return 32

    @property
    def static_thread_group_memory_length(self) -> int:
        return self._shaders._library()[self._name].static_threadgroup_memory_length

    def __call__(
        self,
        *args: object,
        threads: int | Sequence[int] | None = None,
        group_size: int | Sequence[int] | None = None,
        arg_casts: str | dict[int, str] | None = None,
        error_buf_idx: int | None = None,
    ) -> None:
        grid = _size(threads)
        group = _size(group_size)
        casts = Casts(arg_casts)
        bound: list[object] = []
        for index, argument in enumerate(args):
            if not isinstance(argument, torch.Tensor):
                bound.append(_value(argument, casts, index))
                continue
            bound.append(_tensor(argument))
            grid = grid or [argument.numel()]
        if error_buf_idx is not None:
            bound += [None] * (error_buf_idx + 1 - len(bound))
            bound[error_buf_idx] = _C.ErrorBuffer()
        if not grid:
            raise RuntimeError("Number of threads is undefined or has wrong dimension")
        if group and len(group) != len(grid):
            raise RuntimeError(
                "Expected !group_size.has_value() || threads->size() == group_size->size() to be true, "
                "but got false."
            )
        kernel = self._shaders._library()[self._name]
        limit = kernel.max_total_threads_per_threadgroup
        group = group or ([min(grid[0], limit)] if len(grid) == 1 else [limit, *[1] * (len(grid) - 1)])
        size = 1
        for length in group:
            size *= length
        if size > limit:
            raise ValueError(f"Threadgroup size exceeds {limit} limit")
        if max(grid) > _MOST_THREADS:
            raise _refused(self._name, f"threads must be at most {_MOST_THREADS} along each axis, got {grid}")
        # As Metal does, what binds to no parameter is let pass.
        bound = [each if index in kernel.buffers else None for index, each in enumerate(bound)]
        if 0 not in grid:
            kernel.run(bound, grid, group)


def _size(value: int | Sequence[int] | None) -> list[int] | None:
    if value is None:
        return None
    if isinstance(value, int):
        sizes = [value]
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        sizes = list(value)
    else:
        raise unable_to_cast(value, "unsigned long")
    for each in sizes:
        if not hasattr(each, "__index__") or each.__index__() < 0:
            raise unable_to_cast(each, "unsigned long")
    if not 0 < len(sizes) < 4:
        raise RuntimeError("Expected vec.size() > 0 && vec.size() < 4 to be true, but got false.")
    return [each.__index__() for each in sizes]


def _tensor(tensor: torch.Tensor) -> torch.Tensor | bytes:
    """What is bound for a tensor: itself, or the value of a scalar that is on the CPU."""
    if tensor.device.type == "mps":
        return tensor
    if tensor.device.type != "cpu" or tensor.dim() != 0:
        raise RuntimeError("Passed CPU tensor to MPS op")
    scalar = tensor.detach().to(_CPU_SCALARS.get(tensor.dtype, tensor.dtype))
    return bytes(scalar.resolve_conj().resolve_neg().reshape(1).view(torch.uint8).numpy())


def _value(argument: object, casts: Casts, index: int) -> object:
    if isinstance(argument, (list, tuple)):
        if not argument:
            raise RuntimeError("Empty list/tuple can not be an argument to metal kernel")
        if isinstance(argument[0], torch.Tensor):
            return address_list(argument)
        if isinstance(argument[0], (int, float)):
            return casts.pack(argument, type(argument[0]), index)
        raise RuntimeError("Unexpected argument types")
    if isinstance(argument, (int, float)):
        return casts.pack([argument], type(argument), index)
    raise RuntimeError("Unsupported argument type")


def _refused(name: str, why: str) -> RuntimeError:
    return RuntimeError(f"mpsops.simulator: kernel '{name}': {why}")


def refuse_metallib(_: object) -> NoReturn:
    """What ``torch.mps.load_metallib`` ends in."""
    raise RuntimeError(
        "mpsops.simulator: a .metallib holds code for Apple GPUs, which cannot run here; "
        "pass the kernels' source to torch.mps.compile_shader"
    )
