"""Python numbers and lists as the bytes that a kernel of ``torch.mps.compile_shader`` sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch


def _bfloat16(values: np.ndarray) -> np.ndarray:
    """Rounds float32 to the nearest, ties to even; NaN stays quiet NaN."""
    bits = values.astype(np.float32).view(np.uint32)
    rounded = ((bits.astype(np.uint64) + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return np.where(np.isnan(values), np.uint16(0x7FC0), rounded)


_CASTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "": lambda values: values,
    "fp16": lambda values: values.astype(np.float16),
    "bf16": _bfloat16,
    "int32": lambda values: values.astype(np.int32),
    "int16": lambda values: values.astype(np.int16),
    "int8": lambda values: values.astype(np.int8),
    "uint8": lambda values: values.astype(np.uint8),
}


class Casts:
    """``arg_casts``: the type of all numbers, or of those at some positions."""

    def __init__(self, casts: object) -> None:
        self._all = ""
        self._at: dict[int, str] = {}
        if isinstance(casts, str):
            self._all = casts
        elif isinstance(casts, dict):
            self._at = casts
        elif casts is not None:
            raise RuntimeError(f"Unexpected caster arg type {type(casts).__name__}")

    def pack(self, values: Sequence[object], kind: type, index: int) -> bytes:
        """Numbers of one `kind`, int or float, for the argument at `index`."""
        cast = self._at.get(index, self._all)
        if cast not in _CASTS:
            raise RuntimeError(f"Unsupported cast instruction {cast}")
        numbers = _numbers(values, float if issubclass(kind, float) else int)
        with np.errstate(over="ignore", invalid="ignore"):  # a cast of C++ does not complain either
            return _CASTS[cast](numbers).tobytes()


def _numbers(values: Sequence[object], kind: type[int] | type[float]) -> np.ndarray:
    for value in values:
        if not isinstance(value, (int, float)) or (kind is int and isinstance(value, float)):
            raise unable_to_cast(value, "int64_t" if kind is int else "float")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise unable_to_cast(value, "int64_t")
    if kind is int:
        return np.array(values, np.int64)
    with np.errstate(over="ignore"):
        return np.array(values, np.float64).astype(np.float32)


def address_list(tensors: Sequence[object]) -> list[torch.Tensor]:
    """Tensors of which the kernel gets the addresses."""
    checked: list[torch.Tensor] = []
    for tensor in tensors:
        if not isinstance(tensor, torch.Tensor):
            raise unable_to_cast(tensor, "at::Tensor")
        if tensor.device.type != "mps":
            raise RuntimeError("Passed CPU tensor to MPS op")
        checked.append(tensor)
    return checked


def unable_to_cast(value: object, wanted: str) -> RuntimeError:
    """pybind11's error, in its words."""
    return RuntimeError(f"Unable to cast Python instance of type {type(value)} to C++ type '{wanted}'")
