"""Entries for poisson. Rates of 0 are the samples that do not depend on the seed."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.testing._internal.common_dtype import floating_types_and
from torch.testing._internal.opinfo.core import ErrorInput, OpInfo, SampleInput


def samples(
    op: Any, device: str, dtype: torch.dtype, requires_grad: bool, **kwargs: Any
) -> Iterator[SampleInput]:
    for shape in ((), (7,), (3, 4), (2, 3, 4, 5), (0, 3)):
        yield SampleInput(torch.zeros(shape, dtype=dtype, device=device, requires_grad=requires_grad))
    for scale in (1.0, 9.0, 100.0, 4000.0):
        rates = torch.rand(6, 8, device=device).to(dtype) * scale
        yield SampleInput(rates.requires_grad_(requires_grad))


def errors(op: Any, device: str, **kwargs: Any) -> Iterator[ErrorInput]:
    for rates in ([1.0, -1.0], [float("nan")], [-float("inf")], [-1e-30]):
        sample = SampleInput(torch.tensor(rates, device=device))
        yield ErrorInput(sample, error_regex="invalid Poisson rate, expected rate to be non-negative")
    for dtype in (torch.int64, torch.bool, torch.complex64):
        sample = SampleInput(torch.ones(2, dtype=dtype, device=device))
        yield ErrorInput(sample, error_type=NotImplementedError, error_regex='"poisson_cpu" not implemented')


op_db = [
    OpInfo(
        "poisson",
        dtypes=floating_types_and(torch.half, torch.bfloat16),
        supports_out=False,
        sample_inputs_func=samples,
        error_inputs_func=errors,
    )
]
