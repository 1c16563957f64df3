"""The backward of rms_norm, which has a kernel on CUDA only: the CPU's result is torch's decomposition."""

from collections.abc import Iterator
from typing import Any

import torch
from torch._decomp.decompositions import _fused_rms_norm_backward
from torch.testing import make_tensor
from torch.testing._internal.common_dtype import floating_types_and
from torch.testing._internal.opinfo.core import OpInfo, SampleInput

from mpsops._opinfo import not_implemented

DTYPES = floating_types_and(torch.float16, torch.bfloat16)
# (input, number of normalized dimensions): a thread, part of a simdgroup, several, a group; empty ones.
SHAPES = [((5,), 1), ((3, 1), 1), ((4, 6), 2), ((7, 3, 20), 1), ((2, 3, 5, 9), 2), ((6, 300), 1)]
EMPTY = [((0, 4), 1), ((4, 0), 1)]


def op(grad: torch.Tensor, *arguments: Any) -> Any:
    if grad.device.type != "cpu":
        return torch.ops.aten._fused_rms_norm_backward(grad, *arguments)
    if arguments[0].dtype not in DTYPES:
        raise not_implemented("LayerNormBackwardKernelImpl", arguments[0].dtype)
    return _fused_rms_norm_backward(grad, *arguments)


def sample_inputs(
    info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **kwargs: Any
) -> Iterator[SampleInput]:
    def make(shape: Any) -> torch.Tensor:
        return make_tensor(shape, device=device, dtype=dtype, low=-2, high=2)

    wide = torch.float64 if dtype == torch.float64 else torch.float32
    for shape, dims in SHAPES + EMPTY:
        x = make(shape)
        normalized = list(range(-dims, 0))
        rstd = (x.to(wide).pow(2).mean(normalized, keepdim=True) + 1e-5).rsqrt()
        weight = make(shape[-dims:])
        for given, mask in ((weight, [True, True]), (None, [True, False]), (weight, [False, True])):
            yield SampleInput(make(shape), args=(x, list(shape[-dims:]), rstd, given, mask))


op_db = [
    OpInfo(
        "_fused_rms_norm_backward",
        op=op,
        dtypes=DTYPES,
        sample_inputs_func=sample_inputs,
        supports_out=False,
        supports_autograd=False,
    )
]
