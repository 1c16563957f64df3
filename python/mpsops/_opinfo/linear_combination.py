"""_compute_linear_combination, which has no entry."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.testing import make_tensor
from torch.testing._internal.common_dtype import all_types_and_complex_and
from torch.testing._internal.opinfo.core import ErrorInput, OpInfo, SampleInput


def linear_combination(input: torch.Tensor, coefficients: torch.Tensor) -> Any:
    # The coefficients are of the real dtype of the input, whatever that becomes.
    return torch.ops.aten._compute_linear_combination(input, coefficients.to(input.real.dtype))


def sample_inputs(
    op_info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **_: Any
) -> Iterator[SampleInput]:
    for outputs, terms in ((1, 1), (2, 3), (4, 5), (5, 4), (9, 2)):
        coefficients = make_tensor((outputs, terms), dtype=dtype.to_real(), device=device)
        for row in ((), (1,), (3, 3), (2, 4, 5)):
            yield SampleInput(make_tensor((terms, *row), dtype=dtype, device=device), args=(coefficients,))
    yield SampleInput(make_tensor((7, 3), dtype=dtype, device=device), args=(coefficients.t()[:, ::2],))


def error_inputs(op_info: OpInfo, device: str, **_: Any) -> Iterator[ErrorInput]:
    coefficients = torch.ones(2, 3, device=device)
    yield ErrorInput(
        SampleInput(torch.ones(0, 3, device=device), args=(coefficients,)), error_regex="Empty tensor"
    )
    yield ErrorInput(SampleInput(torch.tensor(1.0, device=device), args=(coefficients,)), error_regex="Empty")
    yield ErrorInput(
        SampleInput(torch.ones(3, device=device), args=(coefficients[0],)),
        error_type=IndexError,
        error_regex="Dimension out of range",
    )


op_db = [
    OpInfo(
        "_compute_linear_combination",
        op=linear_combination,
        dtypes=all_types_and_complex_and(torch.half, torch.bfloat16, torch.bool),
        sample_inputs_func=sample_inputs,
        error_inputs_func=error_inputs,
        supports_out=False,
        supports_autograd=False,
    )
]
