"""Convolutions in the dtypes that torch's own MPS kernels refuse."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch.testing import make_tensor
from torch.testing._internal.common_dtype import custom_types, integral_types
from torch.testing._internal.opinfo.core import OpInfo, SampleInput

Samples = Iterator[SampleInput]


def volumes(info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **_: Any) -> Samples:
    """Without a bias, which torch adds to the rounded result on MPS and before rounding on the CPU."""
    make = partial(make_tensor, device=device, dtype=dtype, requires_grad=requires_grad, low=-1, high=1)
    yield SampleInput(make(2, 4, 3, 2, 4), make(4, 3, 2, 3, 2), stride=2)
    yield SampleInput(
        make(1, 4, 2, 3, 3),
        make(4, 2, 2, 2, 3),
        stride=(1, 2, 3),
        padding=(1, 0, 1),
        output_padding=(0, 1, 2),
        groups=2,
        dilation=(2, 1, 1),
    )
    yield SampleInput(make(4, 2, 3, 3), make(4, 3, 1, 1, 1))


def planes(info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **_: Any) -> Samples:
    make = partial(make_tensor, device=device, dtype=dtype)
    yield SampleInput(make(2, 4, 5, 6), make(6, 4, 2, 3), make(6))
    yield SampleInput(make(2, 4, 5, 6), make(6, 2, 3, 3), stride=(2, 1), padding=1, groups=2)
    yield SampleInput(make(4, 5, 6), make(3, 4, 1, 1), make(3))
    yield SampleInput(make(0, 4, 5, 6), make(6, 4, 2, 3), make(6))


def wide_planes(info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **_: Any) -> Samples:
    make = partial(make_tensor, device=device, dtype=dtype)
    yield SampleInput(make(2, 4, 3, 4), make(4, 6, 2, 3), make(6), dilation=2)
    yield SampleInput(
        make(2, 4, 3, 4), make(4, 3, 3, 3), stride=(2, 3), padding=1, output_padding=1, groups=2
    )


op_db = [
    OpInfo(
        "nn.functional.conv_transpose3d",
        variant_test_name="halves",
        op=F.conv_transpose3d,
        dtypes=custom_types(torch.float16, torch.bfloat16),
        sample_inputs_func=volumes,
        supports_out=False,
    ),
    OpInfo(
        "nn.functional.conv2d",
        variant_test_name="integers",
        op=F.conv2d,
        dtypes=integral_types(),
        sample_inputs_func=planes,
        supports_out=False,
        supports_autograd=False,
    ),
    OpInfo(
        "nn.functional.conv_transpose2d",
        variant_test_name="integers",
        op=F.conv_transpose2d,
        dtypes=custom_types(torch.int64),
        sample_inputs_func=wide_planes,
        supports_out=False,
        supports_autograd=False,
    ),
]
