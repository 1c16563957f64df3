"""torch._addmm_activation: addmm, then relu or gelu."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.testing import make_tensor
from torch.testing._internal.common_dtype import all_types_and
from torch.testing._internal.opinfo.core import ErrorInput, OpInfo, SampleInput


def sample_inputs(
    info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **kwargs: Any
) -> Iterator[SampleInput]:
    def make(*shape: int) -> torch.Tensor:
        return make_tensor(shape, device=device, dtype=dtype, low=-2, high=3)

    for use_gelu in (False, True) if dtype.is_floating_point else (False,):
        for bias in ((2, 5), (5,), (1, 5), (2, 1), ()):
            yield SampleInput(make(*bias), args=(make(2, 3), make(3, 5)), kwargs={"use_gelu": use_gelu})
        for rows, inner, columns in ((0, 3, 5), (2, 0, 5), (2, 3, 0)):
            arguments = (make(rows, inner), make(inner, columns))
            yield SampleInput(make(columns), args=arguments, kwargs={"use_gelu": use_gelu})
        scales = {"beta": 2, "alpha": -3, "use_gelu": use_gelu}
        yield SampleInput(make(5), args=(make(2, 3), make(5, 3).t()), kwargs=scales)


def error_inputs(info: OpInfo, device: str, **kwargs: Any) -> Iterator[ErrorInput]:
    def make(*shape: int) -> torch.Tensor:
        return torch.randn(shape, device=device)

    yield ErrorInput(
        SampleInput(make(5), args=(make(2, 3), make(4, 5))), error_regex="shapes cannot be multiplied"
    )
    yield ErrorInput(SampleInput(make(5), args=(make(2, 3, 1), make(3, 5))), error_regex="must be 2-D|matrix")
    yield ErrorInput(SampleInput(make(4), args=(make(2, 3), make(3, 5))), error_regex="expanded size")
    for use_gelu in (False, True):
        arguments = [make(*shape).to(torch.complex64) for shape in ((5,), (2, 3), (3, 5))]
        yield ErrorInput(
            SampleInput(arguments[0], args=tuple(arguments[1:]), kwargs={"use_gelu": use_gelu}),
            error_type=NotImplementedError,
            error_regex="not supported|not implemented",
        )


op_db = [
    OpInfo(
        "_addmm_activation",
        op=torch._addmm_activation,
        dtypes=all_types_and(torch.float16, torch.bfloat16),
        sample_inputs_func=sample_inputs,
        error_inputs_func=error_inputs,
        supports_autograd=False,
    )
]
