"""nn.functional.linear in the dtypes that torch's own MPS kernel refuses."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch.testing import make_tensor
from torch.testing._internal.common_dtype import integral_types
from torch.testing._internal.opinfo.core import ErrorInput, OpInfo, SampleInput


def samples(info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **_: Any) -> Iterator[Any]:
    make = partial(make_tensor, device=device, dtype=dtype)
    for sizes in [(5,), (2, 5), (0, 5), (3, 0), (2, 3, 5), (2, 0, 5), (2, 1, 3, 5)]:
        weight = make(4, sizes[-1])
        yield SampleInput(make(sizes), weight)
        yield SampleInput(make(sizes), weight, make(4))
    yield SampleInput(make(2, 5), make(5))
    yield SampleInput(make(5), make(5))
    yield SampleInput(make(70, 33), make(40, 33), make(40))


def errors(info: OpInfo, device: str, **_: Any) -> Iterator[ErrorInput]:
    def ones(*sizes: int) -> torch.Tensor:
        return torch.ones(sizes, dtype=torch.int64, device=device)

    yield ErrorInput(
        SampleInput(ones(2, 3), ones(4, 2)), error_regex=r"shapes cannot be multiplied \(2x3 and 2x4\)"
    )
    yield ErrorInput(
        SampleInput(ones(), ones(4, 2)), error_regex="both arguments to linear need to be at least 1D"
    )


op_db = [
    OpInfo(
        "nn.functional.linear",
        variant_test_name="integers",
        op=F.linear,
        dtypes=integral_types(),
        sample_inputs_func=samples,
        error_inputs_func=errors,
        supports_out=False,
        supports_autograd=False,
    )
]
