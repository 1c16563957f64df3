"""Bytes that a call must move: its tensors, read or written once."""

from collections.abc import Callable
from typing import Any

import torch

from mpsops._harness import op_calls, ops, overloads
from mpsops._harness.overloads import Call


def bytes_moved(
    family: str, name: str, func: torch._ops.OpOverload, call: Call, outputs: list[torch.Tensor]
) -> int:
    """What a perfect kernel moves: inputs once, outputs once, what is changed in place twice.

    A family's ``bytes_moved`` stands for ops that do not touch all of their arguments.
    """
    special: dict[str, Callable[[Any, list[torch.Tensor]], int]] = getattr(
        ops.hook(family), "bytes_moved", {}
    )
    if name in special:
        return special[name](call[0], outputs)
    total = 0
    seen = set()
    arguments = overloads.bound(func, call)
    for argument in func._schema.arguments:
        mutated = argument.alias_info is not None and argument.alias_info.is_write
        for tensor in op_calls.tensors(arguments.get(argument.name)):
            seen.add(tensor.data_ptr())
            total += tensor.nbytes * (2 if mutated and not argument.is_out else 1)
    return total + sum(out.nbytes for out in outputs if out.data_ptr() not in seen)
