"""The forward derivatives of glu and of its backward, which autograd reaches by torch.func.jvp."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.testing import make_tensor
from torch.testing._internal.common_dtype import floating_types_and
from torch.testing._internal.opinfo.core import ErrorInput, OpInfo, SampleInput

DTYPES = floating_types_and(torch.float16, torch.bfloat16)
# (shape of x, dim)
SHAPES = [((4,), 0), ((2, 6), -1), ((6, 5), 0), ((2, 4, 5), 1), ((2, 4, 3, 5), 1), ((3, 0), 1), ((0, 4), 1)]


def glu_jvp(glu: torch.Tensor, x: torch.Tensor, dx: torch.Tensor, dim: int) -> Any:
    low = {torch.float16, torch.bfloat16}
    if glu.device.type != "cpu" or glu.dtype not in low:
        return torch.ops.aten.glu_jvp(glu, x, dx, dim)
    # CUDA's kernel computes these in float, the CPU's takes neither.
    return torch.ops.aten.glu_jvp(glu.float(), x.float(), dx.float(), dim).to(glu.dtype)


def halves(shape: tuple[int, ...], dim: int) -> list[int]:
    half = list(shape)
    half[dim] //= 2
    return half


def jvp_samples(
    info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **kwargs: Any
) -> Iterator[SampleInput]:
    for shape, dim in SHAPES:
        x, dx = (make_tensor(shape, device=device, dtype=dtype) for _ in range(2))
        glu = make_tensor(halves(shape, dim), device=device, dtype=dtype)
        yield SampleInput(glu, args=(x, dx, dim))


def jvp_errors(info: OpInfo, device: str, **kwargs: Any) -> Iterator[ErrorInput]:
    x, glu = torch.randn(2, 6, device=device), torch.randn(2, 3, device=device)
    yield ErrorInput(
        SampleInput(glu, args=(x, x, 2)), error_type=IndexError, error_regex="Dimension out of range"
    )
    yield ErrorInput(SampleInput(glu, args=(x[:, :4], x, 1)), error_regex="exceeds dimension size")
    yield ErrorInput(SampleInput(glu, args=(x.half(), x, 1)), error_regex="Found dtype|expected")
    yield ErrorInput(SampleInput(glu, args=(x[:1].repeat(3, 1), x, 1)), error_regex="must match the size")


def backward_samples(
    info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **kwargs: Any
) -> Iterator[SampleInput]:
    for shape, dim in SHAPES:
        grad_x, x, dx = (make_tensor(shape, device=device, dtype=dtype, low=-3, high=3) for _ in range(3))
        grad, dgrad = (
            make_tensor(halves(shape, dim), device=device, dtype=dtype, low=-3, high=3) for _ in range(2)
        )
        yield SampleInput(grad_x, args=(grad, x, dgrad, dx, dim))


def backward_errors(info: OpInfo, device: str, **kwargs: Any) -> Iterator[ErrorInput]:
    x, half = torch.randn(2, 6, device=device), torch.randn(2, 3, device=device)
    yield ErrorInput(
        SampleInput(x, args=(half, x, half, x, 2)),
        error_type=IndexError,
        error_regex="Dimension out of range",
    )
    yield ErrorInput(SampleInput(x, args=(half, x[:, :4], half, x, 1)), error_regex="exceeds dimension size")


op_db = [
    OpInfo(
        "glu_jvp",
        op=glu_jvp,
        dtypes=DTYPES,
        sample_inputs_func=jvp_samples,
        error_inputs_func=jvp_errors,
        supports_out=False,
        supports_autograd=False,
    ),
    OpInfo(
        "glu_backward_jvp",
        op=torch.ops.aten.glu_backward_jvp,
        dtypes=DTYPES,
        sample_inputs_func=backward_samples,
        error_inputs_func=backward_errors,
        supports_out=False,
        supports_autograd=False,
    ),
]
