"""Jagged to padded rows and back, which have no entries."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.testing import make_tensor
from torch.testing._internal.common_dtype import all_types_and, all_types_and_complex_and
from torch.testing._internal.opinfo.core import ErrorInput, OpInfo, SampleInput

# Of items, with empty ones, and none.
LENGTHS: tuple[list[int], ...] = ([3], [2, 0, 3, 1], [0, 0], [5, 40, 1], [])
ROWS: tuple[tuple[int, ...], ...] = ((), (1,), (5,), (2, 9), (0,))
UNSIGNED = (torch.uint16, torch.uint32, torch.uint64)


def offsets_of(lengths: list[int], device: str, dtype: torch.dtype = torch.int64) -> torch.Tensor:
    return torch.tensor([0, *lengths], dtype=dtype, device=device).cumsum(0, dtype=dtype)


def sample_inputs_to_padded(
    op_info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **_: Any
) -> Iterator[SampleInput]:
    for lengths in LENGTHS:
        for row in ROWS:
            values = make_tensor((sum(lengths), *row), dtype=dtype, device=device)
            offsets = offsets_of(lengths, device)
            # Room to spare, just enough, and too little: items are cut.
            for length in {6, max(lengths, default=0), 1}:
                yield SampleInput(values, args=([offsets], [length], 1.0))
    yield SampleInput(values, args=([offsets.int()], [0]))


def sample_inputs_to_jagged(
    op_info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **_: Any
) -> Iterator[SampleInput]:
    for lengths in LENGTHS:
        for row in ROWS:
            for length in {6, 41} if max(lengths, default=0) <= 6 else {41}:
                padded = make_tensor((len(lengths), length, *row), dtype=dtype, device=device)
                yield SampleInput(padded, args=([offsets_of(lengths, device)], sum(lengths)))
                yield SampleInput(padded, args=([offsets_of(lengths, device, torch.int32)],))


def error_inputs_to_padded(op_info: OpInfo, device: str, **_: Any) -> Iterator[ErrorInput]:
    values, offsets = torch.ones(5, 2, device=device), offsets_of([2, 3], device)
    yield ErrorInput(SampleInput(values, args=([offsets[None]], [3])), error_regex="expected 1D offsets")
    yield ErrorInput(SampleInput(values, args=([offsets], [-1])), error_regex="negative dimension")
    yield ErrorInput(SampleInput(values, args=([offsets[:0]], [3])), error_regex="negative dimension")


def error_inputs_to_jagged(op_info: OpInfo, device: str, **_: Any) -> Iterator[ErrorInput]:
    padded, offsets = torch.ones(2, 3, 2, device=device), offsets_of([2, 3], device)
    yield ErrorInput(SampleInput(padded, args=([offsets[None]], 5)), error_regex="expected 1D offsets")
    yield ErrorInput(SampleInput(padded, args=([offsets], 6)), error_regex="final offset should match")
    yield ErrorInput(SampleInput(padded[:, :2], args=([offsets], 5)), error_regex="batch item of length 3")
    yield ErrorInput(SampleInput(padded[:, :1], args=([offsets.int()],)), error_regex="item of length 2")
    yield ErrorInput(SampleInput(padded[0, 0], args=([offsets], 5)), error_regex="expected padded dim >= 2")
    yield ErrorInput(
        SampleInput(padded[:1], args=([offsets], 5)), error_type=IndexError, error_regex="out of range"
    )
    yield ErrorInput(
        SampleInput(padded, args=([offsets[:0]], 0)), error_type=IndexError, error_regex="out of range"
    )
    negative = offsets - 9
    yield ErrorInput(SampleInput(padded, args=([negative],)), error_regex="negative dimension")


op_db = [
    OpInfo(
        "_jagged_to_padded_dense_forward",
        op=torch.ops.aten._jagged_to_padded_dense_forward,
        dtypes=all_types_and(torch.half, torch.bfloat16, torch.bool),
        sample_inputs_func=sample_inputs_to_padded,
        error_inputs_func=error_inputs_to_padded,
        supports_out=False,
        supports_autograd=False,
    ),
    OpInfo(
        "_padded_dense_to_jagged_forward",
        op=torch.ops.aten._padded_dense_to_jagged_forward,
        dtypes=all_types_and_complex_and(torch.half, torch.bfloat16, torch.bool, *UNSIGNED),
        sample_inputs_func=sample_inputs_to_jagged,
        error_inputs_func=error_inputs_to_jagged,
        supports_out=False,
        supports_autograd=False,
    ),
]
