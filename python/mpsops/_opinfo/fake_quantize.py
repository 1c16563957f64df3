"""Fake quantization with a given scale and zero point, for the tensor or for each channel; outputs and mask.

Scales are powers of two where values lie on ties, so that every precision finds the same ties; elsewhere no
value is near one.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch.testing import make_tensor
from torch.testing._internal.common_dtype import floating_types_and
from torch.testing._internal.opinfo.core import ErrorInput, OpInfo, SampleInput

aten = torch.ops.aten
INT8 = (-128, 127)
UINT8 = (0, 255)
INT4 = (-8, 7)
ENDS = "`quant_min` should be less than or         equal to `quant_max`."
RANGE = "`zero_point` must be between `quant_min` and `quant_max`."


def ties(**options: Any) -> torch.Tensor:
    """Halves around the ends of small ranges, and what is no number."""
    halves = torch.arange(-24, 24, device=options["device"]) / 2
    odd = torch.tensor([math.nan, math.inf, -math.inf, -0.0, 3e4, -3e4], device=options["device"])
    return torch.cat([halves, odd]).to(options["dtype"])


def inputs(**options: Any) -> Iterator[torch.Tensor]:
    for shape in ((), (5, 0, 2), (3, 4, 5), (2, 3, 4, 2)):
        yield make_tensor(shape, low=-6, high=6, **options)
    yield ties(**options).requires_grad_(options["requires_grad"])


def options_of(device: Any, dtype: Any, requires_grad: bool) -> dict[str, Any]:
    return {"device": device, "dtype": dtype, "requires_grad": requires_grad}


def tensor_samples(
    op: OpInfo, device: Any, dtype: Any, requires_grad: bool, **_: Any
) -> Iterator[SampleInput]:
    options = options_of(device, dtype, requires_grad)
    for tensor in inputs(**options):
        for scale, zero_point, ends in ((0.0625, 0, INT8), (0.03125, 100, UINT8), (0.5, -3, INT4)):
            yield SampleInput(tensor.detach().requires_grad_(requires_grad), args=(scale, zero_point, *ends))
    tensor = make_tensor((500,), low=-6, high=6, **options)
    for scale in (0.037, -0.1, 0.0, math.inf, math.nan):
        yield SampleInput(tensor.detach().requires_grad_(requires_grad), args=(scale, 3, *INT8))
    # Beyond what float holds exactly.
    yield SampleInput(tensor.detach() * 1e3, args=(1e-4, 2**25 + 1, 0, 2**40))


def tensor_errors(op: OpInfo, device: Any, **_: Any) -> Iterator[ErrorInput]:
    tensor = torch.ones(3, device=device)
    yield ErrorInput(SampleInput(tensor, args=(1.0, 0, 1, 0)), error_regex=ENDS)
    yield ErrorInput(SampleInput(tensor, args=(1.0, 128, *INT8)), error_regex=RANGE)
    yield ErrorInput(SampleInput(tensor, args=(1.0, -129, *INT8)), error_regex=RANGE)


def tensors(device: Any, scale: float, zero_point: float, on: float, dtypes: Any) -> tuple[torch.Tensor, ...]:
    return tuple(
        torch.tensor([value], device=device).to(dtype)
        for value, dtype in zip((scale, zero_point, on), dtypes, strict=True)
    )


def qparams_samples(
    op: OpInfo, device: Any, dtype: Any, requires_grad: bool, **_: Any
) -> Iterator[SampleInput]:
    options = options_of(device, dtype, requires_grad)
    usual = (torch.float32, torch.int32, torch.int64)
    for tensor in inputs(**options):
        for scale, zero_point, on, ends in (
            (0.0625, 0, 1, INT8),
            (0.5, -3, 1, INT4),
            (0.5, 300, 1, INT4),
            (0.5, 0, 0, INT4),
        ):
            yield SampleInput(
                tensor.detach().requires_grad_(requires_grad),
                args=(*tensors(device, scale, zero_point, on, usual), *ends),
            )
    tensor = make_tensor((50,), low=-6, high=6, **options)
    for dtypes in (
        (torch.float16, torch.int64, torch.bool),
        (torch.bfloat16, torch.float32, torch.float32),
        (torch.int32, torch.float16, torch.uint8),
        (torch.float32, torch.bool, torch.int16),
        (torch.float32, torch.bfloat16, torch.float16),
        (torch.float32, torch.int8, torch.bfloat16),
    ):
        for fraction in (1.0, 0.5):
            args = tensors(device, 1.0, 1.75, fraction, dtypes)
            yield SampleInput(tensor.detach().requires_grad_(requires_grad), args=(*args, *INT4))
    scalars = [value[0] for value in tensors(device, 0.5, 1, 1, usual)]
    yield SampleInput(tensor.detach().requires_grad_(requires_grad), args=(*scalars, *INT4))


def qparams_errors(op: OpInfo, device: Any, **_: Any) -> Iterator[ErrorInput]:
    tensor = torch.ones(3, device=device)
    usual = (torch.float32, torch.int32, torch.int64)
    one = tensors(device, 1.0, 0, 1, usual)
    yield ErrorInput(SampleInput(tensor, args=(*one, 1, 0)), error_regex=ENDS)
    for index in range(3):
        for count in (0, 2):
            wrong = [*one]
            wrong[index] = one[index].repeat(count)
            regex = f"a Tensor with {count} elements cannot be converted to Scalar"
            yield ErrorInput(SampleInput(tensor, args=(*wrong, *INT8)), error_regex=regex)
    overflow = "value cannot be converted to type int without overflow"
    for zero_point in (2**31, -(2**31) - 1, 2.0**31, math.nan, math.inf):
        args = (one[0], torch.tensor([zero_point], device=device), one[2])
        yield ErrorInput(SampleInput(tensor, args=(*args, *INT8)), error_regex=overflow)


def per_channel(self: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor, *rest: Any) -> Any:
    """float64 quantizes with a scale of float32, as all do: the op takes no other."""
    if self.dtype == torch.float64:
        scale = scale.to(torch.float32)
        zero_point = zero_point.to(torch.float32) if zero_point.is_floating_point() else zero_point
    return aten.fake_quantize_per_channel_affine_cachemask(self, scale, zero_point, *rest)


def zero_points(count: int, device: Any, ends: tuple[int, int]) -> Iterator[torch.Tensor]:
    low, high = ends
    yield torch.arange(count, dtype=torch.int32, device=device) % (high - low + 1) + low
    real = torch.arange(count, device=device) * 0.75 - 2
    yield real
    yield real.to(torch.float16)


def channel_samples(
    op: OpInfo, device: Any, dtype: Any, requires_grad: bool, **_: Any
) -> Iterator[SampleInput]:
    options = options_of(device, dtype, requires_grad)
    for shape, axis in (
        ((7,), 0),
        ((0,), 0),
        ((3, 0), 0),
        ((4, 5), 0),
        ((2, 3, 4, 2), 1),
        ((2, 3, 4, 2), 3),
        ((1, 3, 1, 1), 1),
    ):
        for ends in (INT8, INT4):
            scale = 2.0 ** -(torch.arange(shape[axis], device=device) % 5)
            for zero_point in zero_points(shape[axis], device, ends):
                if shape == (0,) and not zero_point.is_floating_point():
                    continue  # refused, below
                tensor = make_tensor(shape, low=-6, high=6, **options)
                yield SampleInput(tensor, args=(scale, zero_point, axis, *ends))
    odd = ties(**options)
    # +inf is where the CPU's conversion to int64 is undefined.
    odd = odd[odd != math.inf].repeat(3, 1)
    for zero_point in zero_points(3, device, INT4):
        scale = torch.tensor([1.0, 0.5, 2.0], device=device)
        yield SampleInput(odd.detach().requires_grad_(requires_grad), args=(scale, zero_point, 0, *INT4))


def channel_errors(op: OpInfo, device: Any, **_: Any) -> Iterator[ErrorInput]:
    tensor = torch.ones(2, 3, device=device)
    scale = torch.ones(3, device=device)
    zero_point = torch.zeros(3, dtype=torch.int32, device=device)

    def wrong(regex: str, *args: Any, error_type: Any = RuntimeError) -> ErrorInput:
        return ErrorInput(SampleInput(tensor, args=args), error_type=error_type, error_regex=regex)

    yield wrong("Scale must be Float or BFloat16, found Half", scale.half(), zero_point, 1, *INT8)
    yield wrong("Zero-point must be Int32, Float or Half, found Long", scale, zero_point.long(), 1, *INT8)
    yield wrong("scale should be a 1-D tensor", scale[None], zero_point, 1, *INT8)
    yield wrong("zero point should be a 1-D tensor", scale, zero_point[None], 1, *INT8)
    yield wrong("need to have the same dimensions", scale, zero_point[1:], 1, *INT8)
    yield wrong("not consistent with input tensor", scale, zero_point, 0, *INT8)
    yield wrong("Dimension out of range", scale, zero_point, 2, *INT8, error_type=IndexError)
    yield wrong("`axis` must be between 0", scale, zero_point, -1, *INT8)
    yield wrong(ENDS, scale, zero_point, 1, 1, 0)
    for value in (-129, 128):
        yield wrong(RANGE, scale, zero_point + torch.tensor([0, value, 0]).int(), 1, *INT8)
    empty = torch.ones(0, 3, device=device)
    yield ErrorInput(SampleInput(empty, args=(scale, zero_point + 128, 1, *INT8)), error_regex=RANGE)
    none = SampleInput(empty, args=(scale[:0], zero_point[:0], 0, *INT8))
    yield ErrorInput(none, error_regex="Expected reduction dim to be specified for input.numel")


def entry(name: str, op: Any, samples: Any, errors: Any) -> OpInfo:
    return OpInfo(
        name,
        op=op,
        dtypes=floating_types_and(torch.float16, torch.bfloat16),
        sample_inputs_func=samples,
        error_inputs_func=errors,
        supports_out=False,
    )


op_db = [
    entry(
        "fake_quantize_per_tensor_affine_cachemask",
        aten.fake_quantize_per_tensor_affine_cachemask.default,
        tensor_samples,
        tensor_errors,
    ),
    entry(
        "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams",
        aten._fake_quantize_per_tensor_affine_cachemask_tensor_qparams.default,
        qparams_samples,
        qparams_errors,
    ),
    entry("fake_quantize_per_channel_affine_cachemask", per_channel, channel_samples, channel_errors),
]
