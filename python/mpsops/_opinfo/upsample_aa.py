"""Antialiased bicubic and Lanczos resizing, which torch's database lacks; it has the bilinear one."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.testing import make_tensor
from torch.testing._internal.common_dtype import floating_types_and
from torch.testing._internal.opinfo.core import ErrorInput, OpInfo, SampleInput

# Input sizes, output size, align_corners, scales of height and width.
_CASES: tuple[tuple[tuple[int, ...], tuple[int, int], bool, tuple[float | None, float | None]], ...] = (
    ((2, 3, 10, 20), (3, 5), False, (None, None)),
    ((1, 5, 7, 6), (11, 17), False, (None, None)),
    ((2, 1, 9, 8), (4, 13), True, (None, None)),
    ((1, 2, 9, 8), (1, 3), True, (None, None)),
    ((1, 2, 12, 8), (12, 3), False, (None, None)),
    ((1, 2, 6, 9), (4, 9), False, (None, None)),
    ((2, 2, 6, 7), (6, 7), False, (None, None)),
    ((1, 2, 10, 10), (8, 12), False, (0.85, 1.25)),
    ((1, 2, 10, 10), (3, 3), False, (1.7, 0.9)),
    ((1, 3, 1, 1), (4, 5), False, (None, None)),
    ((1, 4, 5, 9), (1, 1), False, (None, None)),
    ((0, 3, 5, 5), (3, 4), False, (None, None)),
)


def _sample_inputs(
    op_info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **kwargs: Any
) -> Iterator[SampleInput]:
    for shape, output_size, align_corners, scales in _CASES:
        x = make_tensor(shape, device=device, dtype=dtype, requires_grad=requires_grad)
        yield SampleInput(x, args=(output_size, align_corners, *scales))


def _error_inputs(op_info: OpInfo, device: str, **kwargs: Any) -> Iterator[ErrorInput]:
    def error(
        text: str, shape: tuple[int, ...], output_size: list[int], dtype: torch.dtype = torch.float
    ) -> ErrorInput:
        x = torch.zeros(shape, device=device, dtype=dtype)
        kind = NotImplementedError if "implemented" in text else RuntimeError
        return ErrorInput(SampleInput(x, args=(output_size, False)), error_type=kind, error_regex=text)

    yield error("output_size equals to 2", (1, 2, 5, 5), [3])
    yield error("output_size equals to 2", (1, 2, 5, 5), [3, 3, 3])
    yield error("input_size equals to 4", (2, 5, 5), [3, 3])
    yield error("input_size equals to 4", (1, 1, 2, 5, 5), [3, 3])
    yield error("should be greater than 0", (1, 2, 0, 5), [3, 3])
    yield error("should be greater than 0", (1, 2, 5, 5), [3, 0])
    yield error("Non-empty 4D data tensor expected", (1, 0, 5, 5), [3, 3])
    for dtype in (torch.half, torch.long, torch.bool, torch.complex64):
        yield error("not implemented for", (1, 2, 5, 5), [3, 3], dtype)


op_db = [
    OpInfo(
        f"upsample_{filter}2d_aa",
        op=getattr(torch._C._nn, f"_upsample_{filter}2d_aa"),
        dtypes=floating_types_and(torch.uint8),
        sample_inputs_func=_sample_inputs,
        error_inputs_func=_error_inputs,
        supports_out=True,
        supports_autograd=True,
    )
    for filter in ("bicubic", "lanczos")  # the second is young
    if hasattr(torch._C._nn, f"_upsample_{filter}2d_aa")
]
