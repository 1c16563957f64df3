"""fractional_max_pool2d and 3d with given random samples: torch's entries draw them on each device.

The mean distance of two windows, (input - kernel) / (output - 1), is a short binary fraction, so that windows
start at the same positions in every dtype.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch.testing import make_tensor
from torch.testing._internal.common_dtype import floating_types_and
from torch.testing._internal.opinfo.core import ErrorInput, OpInfo, SampleInput

# Input sizes, kernel size, output size.
_CASES_2D = (
    ((2, 3, 9, 8), (3, 2), (5, 5)),
    ((3, 12, 11), (2, 3), (6, 5)),
    ((1, 5, 6, 6), (2, 2), (5, 3)),
    ((2, 2, 7, 7), (7, 3), (1, 3)),
    ((1, 6, 20, 22), (8, 10), (4, 5)),
    ((0, 2, 6, 6), (2, 2), (3, 3)),
    ((1, 2, 6, 6), (2, 2), (0, 3)),
)
_CASES_3D = (
    ((2, 3, 6, 7, 8), (2, 3, 2), (3, 3, 4)),
    ((2, 7, 5, 6), (1, 2, 2), (4, 3, 3)),
    ((1, 5, 4, 4, 5), (2, 1, 3), (2, 3, 1)),
    ((1, 2, 12, 8, 9), (4, 4, 5), (5, 3, 3)),
    ((0, 2, 6, 6, 6), (2, 2, 2), (3, 3, 3)),
    ((1, 2, 6, 6, 6), (2, 2, 2), (3, 0, 3)),
)


def _sample_inputs(
    dims: int, op_info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **kwargs: Any
) -> Iterator[SampleInput]:
    values = torch.tensor([0.0, 0.25, 0.5, 0.75], device=device)
    for shape, kernel, output in _CASES_2D if dims == 2 else _CASES_3D:
        planes = (1 if len(shape) == dims + 1 else shape[0], shape[-dims - 1], dims)
        random_samples = values[torch.randint(len(values), planes, device=device)].to(dtype)
        x = make_tensor(shape, device=device, dtype=dtype, requires_grad=requires_grad)
        yield SampleInput(x, args=(kernel, output, random_samples))
    # Ties, windows without a number, more samples than batches.
    x = torch.randint(3, (2, 3, *[8] * dims), device=device).to(dtype)
    x[0, 0] = -float("inf")
    random_samples = torch.full((4, 3, dims), 0.5, device=device, dtype=dtype)
    yield SampleInput(x.requires_grad_(requires_grad), args=([2] * dims, [4] * dims, random_samples))


def _error_inputs(dims: int, op_info: OpInfo, device: str, **kwargs: Any) -> Iterator[ErrorInput]:
    def error(
        text: str,
        shape: tuple[int, ...],
        kernel: Any,
        output: Any,
        samples: tuple[int, ...],
        *,
        dtypes: tuple[torch.dtype, torch.dtype] = (torch.float, torch.float),
        error_type: type[Exception] = RuntimeError,
    ) -> ErrorInput:
        x = torch.zeros(shape, device=device, dtype=dtypes[0])
        random_samples = torch.zeros(samples, device=device, dtype=dtypes[1])
        sample = SampleInput(x, args=(kernel, output, random_samples))
        return ErrorInput(sample, error_type=error_type, error_regex=text)

    size, kernel, output, samples = (8,) * dims, [2] * dims, [3] * dims, (2, 3, dims)
    for shape in (size, (1, 2, 3, *size)):
        yield error("Expected .D or .D tensor, but got", shape, kernel, output, samples)
    for shape in ((2, 0, *size), (2, 3, *size[1:], 0)):
        yield error("to have non-zero size for non-batch dimensions", shape, kernel, output, samples)
    for axis in range(dims):
        large = [3] * dims
        large[axis] = 8
        yield error("too large relative to input", (2, 3, *size), kernel, large, samples)
    yield error("negative dimension", (2, 3, *size), kernel, [-1] * dims, samples)
    yield error("kernel_size must either be", (2, 3, *size), [2], output, samples)
    yield error("output_size must either be", (2, 3, *size), kernel, [2] * (dims + 1), samples)
    yield error("the same dtype", (2, 3, *size), kernel, output, samples, dtypes=(torch.float, torch.half))
    yield error("to have 3 dimensions", (2, 3, *size), kernel, output, (2, 3))
    yield error("no less then input batch size", (2, 3, *size), kernel, output, (1, 3, dims))
    yield error("equals to input channel size", (2, 3, *size), kernel, output, (2, 4, dims))
    yield error("equals to .; got", (2, 3, *size), kernel, output, (2, 3, dims + 1))
    yield error(
        "not implemented for 'Long'",
        (2, 3, *size),
        kernel,
        output,
        samples,
        dtypes=(torch.long, torch.long),
        error_type=NotImplementedError,
    )


op_db = [
    OpInfo(
        f"fractional_max_pool{dims}d",
        op=getattr(torch._C._nn, f"fractional_max_pool{dims}d"),
        dtypes=floating_types_and(torch.bfloat16, torch.float16),
        sample_inputs_func=partial(_sample_inputs, dims),
        error_inputs_func=partial(_error_inputs, dims),
        supports_out=True,
        supports_autograd=True,
    )
    for dims in (2, 3)
]
