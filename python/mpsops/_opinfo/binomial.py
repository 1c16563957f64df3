"""Entries for binomial. Probabilities of 0 and 1 are the samples that do not depend on the seed."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.testing._internal.common_dtype import floating_types
from torch.testing._internal.opinfo.core import ErrorInput, OpInfo, SampleInput


def samples(
    op: Any, device: str, dtype: torch.dtype, requires_grad: bool, **kwargs: Any
) -> Iterator[SampleInput]:
    def tensor(values: Any) -> torch.Tensor:
        return torch.tensor(values, dtype=dtype, device=device)

    certain = [0.0, 1.0, -0.5, 1.5, float("inf"), 0.0, 1.0]
    yield SampleInput(tensor([[3.0], [2.5], [-1.0]]).expand(3, 7), args=(tensor(certain).expand(3, 7),))
    yield SampleInput(tensor([float("nan"), float("inf"), -1.0]), args=(tensor([0.0, 0.0, float("nan")]),))
    yield SampleInput(tensor(5.0), args=(tensor(1.0),))
    yield SampleInput(torch.ones(2, 3, 4, 5, dtype=dtype, device=device), args=(tensor(1.0),))
    yield SampleInput(
        torch.ones(0, 3, dtype=dtype, device=device), args=(torch.ones(3, dtype=dtype, device=device),)
    )
    for n in (1.0, 20.0, 1000.0):
        probabilities = torch.rand(6, 8, dtype=dtype, device=device)
        yield SampleInput(torch.full((6, 8), n, dtype=dtype, device=device), args=(probabilities,))
    yield SampleInput(
        torch.full((4, 6, 8), 30.0, dtype=dtype, device=device),
        args=(torch.rand(6, 1, dtype=dtype, device=device),),
    )


def errors(op: Any, device: str, **kwargs: Any) -> Iterator[ErrorInput]:
    one = torch.ones(2, device=device)
    for dtype in (torch.int64, torch.bool, torch.complex64):
        for name, arguments in (("count", (one.to(dtype), one)), ("prob", (one, one.to(dtype)))):
            yield ErrorInput(
                SampleInput(arguments[0], args=arguments[1:]),
                error_type=ValueError,
                error_regex=f"binomial only supports floating-point dtypes for {name}",
            )
    yield ErrorInput(SampleInput(one, args=(one.half(),)), error_regex="Found dtype Half but expected Float")
    yield ErrorInput(
        SampleInput(one, args=(torch.ones(3, device=device),)), error_regex="must match the size of tensor b"
    )
    for dtype in (torch.half, torch.bfloat16):
        sample = SampleInput(one.to(dtype), args=(one.to(dtype),))
        yield ErrorInput(sample, error_type=NotImplementedError, error_regex='"binomial_cpu" not implemented')


op_db = [
    OpInfo(
        "binomial",
        dtypes=floating_types(),
        supports_out=False,
        supports_autograd=False,
        sample_inputs_func=samples,
        error_inputs_func=errors,
    )
]
