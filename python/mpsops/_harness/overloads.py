"""Overloads by name, their arguments by name, and the outputs that they are given."""

from collections.abc import Iterator
from typing import Any

import torch

Call = tuple[tuple[Any, ...], dict[str, Any]]


def find(name: str) -> torch._ops.OpOverload | None:
    """The overload that the registry calls ``aten::mode.values``, or None: the running torch lacks it."""
    op, _, overload = name.removeprefix("aten::").partition(".")
    packet = getattr(torch.ops.aten, op, None)
    return getattr(packet, overload or "default", None)


def outputs_given(func: torch._ops.OpOverload) -> list[str]:
    """The names of the arguments that are outputs, as ``out=``."""
    return [argument.name for argument in func._schema.arguments if argument.is_out]


def is_backward(name: str) -> bool:
    return "backward" in name


def form(name: str) -> str:
    """``functional``, ``out`` or ``inplace``: what the schema says it does with its arguments."""
    func = find(name)
    if func is not None and outputs_given(func):
        return "out"
    return "inplace" if func is not None and func._schema.is_mutable else "functional"


def bound(func: torch._ops.OpOverload, call: Call) -> dict[str, Any]:
    args, kwargs = call
    positional = [argument.name for argument in func._schema.arguments if not argument.kwarg_only]
    return {**dict(zip(positional, args, strict=False)), **kwargs}


def rebound(func: torch._ops.OpOverload, arguments: dict[str, Any]) -> Call | None:
    """A call with the arguments that the overload has; None where one is missing."""
    args, kwargs = [], {}
    for argument in func._schema.arguments:
        if argument.name in arguments:
            value = arguments[argument.name]
        elif argument.has_default_value():
            value = argument.default_value
        else:
            return None
        if argument.kwarg_only:
            kwargs[argument.name] = value
        else:
            args.append(value)
    return tuple(args), kwargs


def siblings(name: str) -> Iterator[str]:
    """Overloads whose arguments an ``out=`` or in-place overload shares: the functional one first."""
    base = name.partition(".")[0]
    plain = base.removesuffix("_")
    overload = name.partition(".")[2]
    if overload.endswith("_out"):  # aten::mm.dtype_out
        yield f"{plain}.{overload.removesuffix('_out')}"
    yield plain
    yield base
