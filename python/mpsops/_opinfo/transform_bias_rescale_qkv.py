"""aten::_transform_bias_rescale_qkv, of a dense qkv."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.testing import make_tensor
from torch.testing._internal.common_dtype import floating_types_and
from torch.testing._internal.opinfo.core import ErrorInput, OpInfo, SampleInput


def sample_inputs(
    info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **kwargs: Any
) -> Iterator[SampleInput]:
    # (batch, tokens, features, heads)
    for batch, tokens, features, heads in [
        (2, 3, 4, 2),
        (1, 1, 1, 1),
        (3, 7, 40, 5),
        (2, 5, 96, 1),
        (2, 130, 6, 6),
        (0, 3, 4, 2),
        (2, 0, 4, 2),
        (2, 3, 0, 2),
    ]:
        qkv = make_tensor((batch, tokens, 3 * features), device=device, dtype=dtype)
        bias = make_tensor((3 * features,), device=device, dtype=dtype)
        yield SampleInput(qkv, args=(bias, heads))


def error_inputs(info: OpInfo, device: str, **kwargs: Any) -> Iterator[ErrorInput]:
    for width, heads in ((12, 3), (13, 2)):
        qkv = torch.randn(2, 3, width, device=device)
        bias = torch.randn(width, device=device)
        yield ErrorInput(SampleInput(qkv, args=(bias, heads)), error_regex="to be true, but got false")
    yield ErrorInput(
        SampleInput(torch.randn(2, 3, device=device), args=(torch.randn(3, device=device), 1)),
        error_type=IndexError,
        error_regex="Dimension out of range",
    )


def op(qkv: torch.Tensor, bias: torch.Tensor, heads: int) -> Any:
    if qkv.device.type == "cpu" and qkv.dim() > 0 and qkv.numel() == 0:  # the CPU kernel divides by zero
        shape = (qkv.shape[0], heads, qkv.shape[1], qkv.shape[2] // 3 // heads)
        return tuple(torch.empty(shape, dtype=qkv.dtype) for _ in range(3))
    return torch._transform_bias_rescale_qkv(qkv, bias, heads)


op_db = [
    OpInfo(
        "_transform_bias_rescale_qkv",
        op=op,
        dtypes=floating_types_and(torch.float16, torch.bfloat16),
        sample_inputs_func=sample_inputs,
        error_inputs_func=error_inputs,
        supports_out=False,
        supports_autograd=False,
    )
]
