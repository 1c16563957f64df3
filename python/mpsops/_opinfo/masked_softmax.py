"""aten::_masked_softmax with masks of all three types."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.testing import make_tensor
from torch.testing._internal.common_dtype import floating_types, floating_types_and
from torch.testing._internal.opinfo.core import ErrorInput, OpInfo, SampleInput

SOURCE, PADDING, DEFAULT = range(3)
SHAPES = [(), (1,), (5,), (3, 40), (2, 3, 7), (2, 3, 4, 4), (6, 9), (0, 3)]


def op(x: torch.Tensor, mask: torch.Tensor, dim: int | None = None, mask_type: int | None = None) -> Any:
    if x.device.type != "cpu" or x.is_contiguous():
        return torch.ops.aten._masked_softmax(x, mask, dim, mask_type)
    # The CPU kernel fills an output of other strides as if it were contiguous.
    result = torch.ops.aten._masked_softmax(x.contiguous(), mask, dim, mask_type)
    return torch.empty_like(x).copy_(result)


def sample_inputs(
    info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **kwargs: Any
) -> Iterator[SampleInput]:
    def make(shape: Any) -> torch.Tensor:
        return make_tensor(shape, device=device, dtype=dtype, low=-5, high=5, requires_grad=requires_grad)

    def mask_of(shape: Any) -> torch.Tensor:
        """No row is all masked, in no dimension: the generated tests take NaN for a random result."""
        position = torch.zeros((), dtype=torch.long, device=device)
        for size in shape:
            position = position.unsqueeze(-1) + torch.arange(size, device=device)
        return (torch.rand(shape, device=device) < 0.4) & (position % 2 == 1)

    for shape in SHAPES:
        yield SampleInput(make(shape), args=(torch.zeros(shape, dtype=torch.bool, device=device),))
        for dim in range(-1, max(len(shape), 1)):
            if 0 not in shape or shape[dim] > 0:  # of an empty dimension, the CPU kernel divides by 0
                yield SampleInput(make(shape), args=(mask_of(shape), dim))
    if requires_grad:  # the gradient wants a mask of its own size
        return
    shape = (2, 3, 5, 5)
    for axis in (None, -1, 3, 1, 2):
        yield SampleInput(make(shape), args=(mask_of(shape), axis, DEFAULT))
        if axis != 1:
            yield SampleInput(make(shape), args=(mask_of((5, 5)), axis, SOURCE))
        if axis not in {1, 2}:
            yield SampleInput(make(shape), args=(mask_of((2, 5)), axis, PADDING))


def error_inputs(info: OpInfo, device: str, **kwargs: Any) -> Iterator[ErrorInput]:
    x = torch.randn(2, 4, 3, 3, device=device)

    def mask(*shape: int) -> torch.Tensor:
        return torch.zeros(shape, dtype=torch.bool, device=device)

    def error(regex: str, *args: Any, kind: type[Exception] = RuntimeError) -> ErrorInput:
        return ErrorInput(SampleInput(x, args=args), error_type=kind, error_regex=regex)

    yield error("Mask should be a boolean tensor", mask(2, 4, 3, 3).to(torch.uint8))
    yield error("mask shape should match input shape", mask(4, 3, 3))
    yield error("mask shape should match input shape", mask(3, 3), 3, DEFAULT)
    yield error(r"mask shape should be \(B, L\)", mask(3, 2), 3, PADDING)
    yield error(r"mask shape should be \(L, L\)", mask(2, 3), 3, SOURCE)
    yield error("Mask Type should be defined", mask(3, 3), 3)
    yield error("Mask Type should be 0", mask(3, 3), 3, 4)
    yield error("Dimension out of range", mask(2, 4, 3, 3), 4, kind=IndexError)


def backward(grad: torch.Tensor, *args: Any) -> Any:
    # The CPU kernel makes one dimension of none.
    return torch.ops.aten._masked_softmax_backward(grad, *args).view(grad.shape)


def backward_samples(
    info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **kwargs: Any
) -> Iterator[SampleInput]:
    """(grad, output, mask, dim), with an output that is of the dtype itself."""
    for sample in sample_inputs(info, device, dtype, requires_grad=True):
        x = sample.input.detach()
        mask, *dim = sample.args
        output = torch.ops.aten._masked_softmax(x, mask, *dim)
        yield SampleInput(make_tensor(x.shape, device=device, dtype=dtype), args=(output, mask, *dim))


def backward_errors(info: OpInfo, device: str, **kwargs: Any) -> Iterator[ErrorInput]:
    x = torch.randn(2, 3, device=device)
    mask = torch.zeros(2, 3, dtype=torch.bool, device=device)
    yield ErrorInput(SampleInput(x, args=(x, mask[:1])), error_regex="Mask shape should match grad shape")
    yield ErrorInput(SampleInput(x, args=(x, mask.byte())), error_regex="Mask should be a boolean tensor")
    yield ErrorInput(
        SampleInput(x, args=(x, mask, 2)), error_type=IndexError, error_regex="Dimension out of range"
    )
    yield ErrorInput(SampleInput(x, args=(x.half(), mask)), error_regex="expected scalar type")


op_db = [
    OpInfo(
        "_masked_softmax",
        op=op,
        dtypes=floating_types_and(torch.float16, torch.bfloat16),
        # Of float16 and bfloat16, the rounding of the output decides the gradient: see the next entry.
        backward_dtypes=floating_types(),
        sample_inputs_func=sample_inputs,
        error_inputs_func=error_inputs,
        supports_out=False,
        supports_gradgrad=False,
    ),
    OpInfo(
        "_masked_softmax_backward",
        op=backward,
        dtypes=floating_types_and(torch.float16, torch.bfloat16),
        sample_inputs_func=backward_samples,
        error_inputs_func=backward_errors,
        supports_out=False,
        supports_autograd=False,
    ),
]
