"""Entries for logspace. Torch's have the device as an argument; here a tensor says it."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
from torch.testing._internal.common_dtype import all_types_and_complex_and
from torch.testing._internal.opinfo.core import OpInfo, SampleInput


def logspace(device_tensor: torch.Tensor, *args: Any, dtype: torch.dtype, **kwargs: Any) -> torch.Tensor:
    """Through the out= form: the others are torch's, and lead to it unseen."""
    out = torch.empty(args[2], dtype=dtype, device=device_tensor.device)
    return torch.logspace(*args, out=out, **kwargs)


def samples(
    op: Any, device: str, dtype: torch.dtype, requires_grad: bool, **kwargs: Any
) -> Iterator[SampleInput]:
    """Within what an int8 holds; out of bounds, a conversion to integers depends on the processor."""
    small = dtype in (torch.int8, torch.uint8)
    for start, end, steps, base in product((0, 2, 1.25), (0, 1, 2.5), (0, 1, 2, 3, 8), (10.0, 2.0, 1.1, 5.0)):
        if small and base == 10 and end > 2:
            continue
        if steps == 1 and isinstance(start, float) and not (dtype.is_floating_point or dtype.is_complex):
            continue  # fill_() refuses what is not whole
        yield SampleInput(
            torch.empty((), device=device), args=(start, end, steps), kwargs={"base": base, "dtype": dtype}
        )
    if dtype != torch.uint8:
        arguments = (torch.tensor(-3), torch.tensor(2), 6)
        yield SampleInput(torch.empty((), device=device), args=arguments, kwargs={"dtype": dtype})
        yield SampleInput(
            torch.empty((), device=device), args=(-2, 4, 7), kwargs={"base": -2.0, "dtype": dtype}
        )


op_db = [
    OpInfo(
        "torch.logspace",
        op=logspace,
        dtypes=all_types_and_complex_and(torch.half, torch.bfloat16),
        supports_out=False,
        supports_autograd=False,
        sample_inputs_func=samples,
    )
]
