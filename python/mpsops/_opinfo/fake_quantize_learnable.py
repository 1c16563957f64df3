"""Fake quantization with a learnable scale and zero point. The float64 reference is written out here: the ops
differentiate float32 and bfloat16 only, and take a scale of float32 for channels.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch.testing import make_tensor
from torch.testing._internal.common_dtype import floating_types_and
from torch.testing._internal.opinfo.core import ErrorInput, OpInfo, SampleInput

from mpsops._opinfo.fake_quantize import ENDS, INT4, INT8, UINT8, options_of

aten = torch.ops.aten


class Reference(torch.autograd.Function):
    """In float64, of the definition. `shape` is that of scale and zero point beside the input."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        scale: torch.Tensor,
        zero_point: torch.Tensor,
        rest: tuple[tuple[int, ...], int, int, float],
    ) -> torch.Tensor:
        ctx.save_for_backward(x, scale, zero_point)
        ctx.rest = rest
        shape, low, high, _ = rest
        zero = zero_point.round().clamp(low, high).view(shape)
        q = ((x / scale.view(shape)).round() + zero).clamp(low, high)
        return (q - zero) * scale.view(shape)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        (grad,) = grads
        x, scale, zero_point = ctx.saved_tensors
        shape, low, high, factor = ctx.rest
        whole = all(size == 1 for size in shape)
        zero = (zero_point + 0.5).clamp(low, high).trunc() if whole else zero_point.round().clamp(low, high)
        s, z = scale.view(shape), zero.view(shape)
        q = (z + x / s).round()
        below, above = q < low, q > high
        inside = ~below & ~above
        error = torch.where(inside, (q - z) * s - x, 0) / s
        edge = torch.where(below, low - z, torch.where(above, high - z, 0))
        grad_scale = grad * factor * (error + edge)
        grad_zero_point = torch.where(inside, 0, -grad * s * factor)
        rest = [dim for dim, size in enumerate(shape) if size == 1] if not whole else None
        sums = [
            (t.sum() if rest is None else t.sum(rest) if rest else t).view(scale.shape)
            for t in (grad_scale, grad_zero_point)
        ]
        return grad * inside, *sums, None


reference: Any = Reference.apply


def per_tensor(x: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor, *rest: Any) -> Any:
    if x.dtype == torch.float64:
        return reference(x, scale, zero_point, ((1,) * x.dim(), *rest))
    return aten._fake_quantize_learnable_per_tensor_affine(x, scale, zero_point, *rest)


def per_channel(x: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor, axis: int, *rest: Any) -> Any:
    if x.dtype == torch.float64:
        shape = [1] * x.dim()
        shape[axis] = -1
        return reference(x, scale, zero_point, (tuple(shape), *rest))
    return aten._fake_quantize_learnable_per_channel_affine(x, scale, zero_point, axis, *rest)


def parameter(values: torch.Tensor, requires_grad: bool) -> torch.Tensor:
    return values.detach().clone().requires_grad_(requires_grad)


def tensor_samples(
    op: OpInfo, device: Any, dtype: Any, requires_grad: bool, **_: Any
) -> Iterator[SampleInput]:
    options = options_of(device, dtype, requires_grad)
    for shape in ((), (4, 0), (7,), (3, 4, 5), (2, 3, 4, 2), (150, 120)):
        for scale, zero_point, ends, factor in (
            (0.0625, 0.0, INT8, 1.0),
            (0.03125, 99.6, UINT8, 0.25),
            (0.5, -3.3, INT4, 0.1),
            (0.5, 50.0, INT4, 1.0),
        ):
            qparams = (torch.tensor([value], device=device) for value in (scale, zero_point))
            yield SampleInput(
                make_tensor(shape, low=-6, high=6, **options),
                args=(*(parameter(value, requires_grad) for value in qparams), *ends, factor),
            )


def tensor_errors(op: OpInfo, device: Any, **_: Any) -> Iterator[ErrorInput]:
    tensor = torch.ones(3, device=device)
    one = torch.ones(1, device=device)
    yield ErrorInput(SampleInput(tensor, args=(one, one, 1, 0, 1.0)), error_regex=ENDS)
    for index in range(2):
        for wrong, regex in (
            (one[0], "cannot be applied to a 0-dim tensor"),
            (one[:0], "index 0 out of range"),
        ):
            args = [one, one]
            args[index] = wrong
            yield ErrorInput(
                SampleInput(tensor, args=(*args, *INT8, 1.0)), error_type=IndexError, error_regex=regex
            )
        args[index] = torch.ones(1, 2, device=device)
        regex = "a Tensor with 2 elements cannot be converted to Scalar"
        yield ErrorInput(SampleInput(tensor, args=(*args, *INT8, 1.0)), error_regex=regex)


def channel_samples(
    op: OpInfo, device: Any, dtype: Any, requires_grad: bool, **_: Any
) -> Iterator[SampleInput]:
    options = options_of(device, dtype, requires_grad)
    for shape, axis in (
        ((3, 0), 0),
        ((4, 5), 0),
        ((4, 5), 1),
        ((2, 3, 4), 2),
        ((2, 3, 4, 2), 1),
        ((1, 3, 1, 1), 1),
        ((2, 9000), 0),
    ):
        for ends, factor in ((INT8, 1.0), (INT4, 0.25)):
            index = torch.arange(shape[axis], device=device)
            yield SampleInput(
                make_tensor(shape, low=-6, high=6, **options),
                args=(
                    parameter(2.0 ** -(index % 5), requires_grad),
                    parameter(index * 3.7 - 9, requires_grad),
                    axis,
                    *ends,
                    factor,
                ),
            )


def channel_errors(op: OpInfo, device: Any, **_: Any) -> Iterator[ErrorInput]:
    tensor = torch.ones(2, 3, device=device)
    ones = torch.ones(3, device=device)

    def wrong(regex: str, *args: Any, error_type: Any = RuntimeError) -> ErrorInput:
        return ErrorInput(SampleInput(tensor, args=args), error_type=error_type, error_regex=regex)

    missing = NotImplementedError
    yield wrong("Scale must be Float or BFloat16, found Half", ones.half(), ones, 1, *INT8, 1.0)
    yield wrong("round_vml_cpu", ones, ones.bool(), 1, *INT8, 1.0, error_type=missing)
    yield wrong("clamp_scalar_cpu", ones, ones.to(torch.uint16), 1, *INT8, 1.0, error_type=missing)
    yield wrong("scale should be a 1-D tensor", ones[None], ones, 1, *INT8, 1.0)
    yield wrong("zero point should be a 1-D tensor", ones, ones[None], 1, *INT8, 1.0)
    yield wrong("need to have the same dimensions", ones, ones[1:], 1, *INT8, 1.0)
    yield wrong("not consistent with input tensor", ones, ones, 0, *INT8, 1.0)
    yield wrong("Dimension out of range", ones, ones, 2, *INT8, 1.0, error_type=IndexError)
    yield wrong("`axis` must be between 0", ones, ones, -1, *INT8, 1.0)
    yield wrong(ENDS, ones, ones, 1, 1, 0, 1.0)
    none = SampleInput(tensor[:0], args=(ones[:0], ones[:0], 0, *INT8, 1.0))
    yield ErrorInput(none, error_regex="Expected reduction dim to be specified for input.numel")


def entry(name: str, op: Any, samples: Any, errors: Any) -> OpInfo:
    return OpInfo(
        name,
        op=op,
        dtypes=floating_types_and(torch.float16, torch.bfloat16),
        backward_dtypes=floating_types_and(torch.bfloat16),
        sample_inputs_func=samples,
        error_inputs_func=errors,
        supports_out=False,
        supports_gradgrad=False,
    )


op_db = [
    entry("_fake_quantize_learnable_per_tensor_affine", per_tensor, tensor_samples, tensor_errors),
    entry("_fake_quantize_learnable_per_channel_affine", per_channel, channel_samples, channel_errors),
]
