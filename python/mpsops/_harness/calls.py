"""From a case to the call that is measured, on a device."""

from functools import lru_cache, partial
from typing import Any, cast

import torch
from torch.utils._pytree import tree_map_only

from mpsops import _opinfo

from . import correctness, op_calls, ops, overloads
from .cases import Case
from .making import Make
from .overloads import Call
from .sizes import SIZES, Size


class NoCallError(Exception):
    """There is no call for a case: the op does not exist here, or nothing reaches it."""


def _grown(family: str, make: Make, size: Size) -> Any:
    """Without a hook: the OpInfo samples of the family, their values repeated up to the size.

    Only where all tensors of a call have one shape, as those of elementwise ops.
    """
    import mpsops

    if not _opinfo.available():
        raise NoCallError(
            "its arguments come from PyTorch's test suite, which needs the packages expecttest and hypothesis"
        )
    names = {name for row in mpsops.ops() if row.family == family for name in row.opinfo}
    for name in sorted(names):
        recorded = op_calls.record(op_calls.samples(name, make.dtype, "cpu"))
        for row in mpsops.ops():
            for func, args, kwargs in recorded.get(row.name, []):
                given = op_calls.tensors((args, kwargs))
                if len({t.shape for t in given}) != 1 or given[0].numel() < 2:
                    continue

                def grow(tensor: torch.Tensor) -> torch.Tensor:
                    flat = tensor.flatten()
                    repeated = flat.repeat(size.elements // flat.numel() + 1)[: size.elements]
                    return repeated.view(size.rows).to(make.device)

                yield func, *tree_map_only(torch.Tensor, grow, (args, kwargs))
                break


def _run(function: Any, args: Any, kwargs: Any) -> None:
    outputs = op_calls.tensors(function(*args, **kwargs))
    if tracked := [out for out in outputs if out.requires_grad]:
        cotangents = [torch.randn(out.shape).to(out.device, out.dtype) for out in tracked]
        torch.autograd.backward(tracked, cotangents)


@lru_cache(maxsize=1)
def _recorded(family: str, size: str, dtype: torch.dtype, device: str, contested: bool) -> dict[str, Call]:
    """The first call of each overload of the family that its hook leads to."""
    module = ops.hook(family)
    make = Make(device, dtype)
    if module is None:
        source = partial(_grown, family)
    else:
        source = module.contested if contested and hasattr(module, "contested") else module.calls
    recorder = op_calls.Recorder()
    found: dict[str, Call] = {}
    for function, args, kwargs in source(make, SIZES[size]):
        direct = isinstance(function, torch._ops.OpOverload)
        if direct:
            plain = tree_map_only(torch.Tensor, torch.Tensor.detach, (args, kwargs))
            found.setdefault(op_calls.overload_name(function), plain)
        if not direct or any(t.requires_grad for t in op_calls.tensors((args, kwargs))):
            with recorder:
                _run(function, args, kwargs)
    for name, calls in recorder.calls.items():
        _, args, kwargs = calls[0]
        found.setdefault(name, (args, kwargs))
    return found


def _derived(family: str, name: str, device: str, found: dict[str, Call]) -> Call | None:
    """The call of an overload into given memory, from that of its functional sibling."""
    func = overloads.find(name)
    for sibling in overloads.siblings(name):
        other = overloads.find(sibling)
        if func is None or other is None or sibling not in found or sibling == name:
            continue
        arguments = overloads.bound(other, found[sibling])
        if given := overloads.outputs_given(func):
            results = _results(family, other, found[sibling])
            arguments |= dict(zip(given, (torch.empty_like(t, device=device) for t in results), strict=False))
        call = overloads.rebound(func, arguments)
        if call is not None:
            return call
    return None


def _results(family: str, func: torch._ops.OpOverload, call: Call) -> list[torch.Tensor]:
    """Of a call, where it has a kernel; else on the CPU."""
    try:
        return correctness.results(func, correctness.cloned(call))
    except NotImplementedError:
        return correctness.on_cpu(family, func, moved(call, "cpu"))


def moved(call: Call, device: str) -> Call:
    """The call on a device, strides as they are. A tensor that several arguments share stays one."""
    seen: dict[int, torch.Tensor] = {}

    def move(tensor: torch.Tensor) -> torch.Tensor:
        if id(tensor) not in seen:
            seen[id(tensor)] = tensor.to(device)
        return seen[id(tensor)]

    return cast("Call", tree_map_only(torch.Tensor, move, call))


def _strided(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.dim() < 2:
        return tensor
    return tensor.transpose(-1, -2).contiguous().transpose(-1, -2)


def build(case: Case, device: str, contested: bool = False) -> tuple[torch._ops.OpOverload, Call]:
    """The overload of a case and its arguments, on a device; `contested`: such that torch takes too.

    Raises NoCallError.
    """
    func = overloads.find(case.name)
    if func is None:
        raise NoCallError(f"torch {torch.__version__.split('+')[0]} has no such op")
    found = _recorded(case.family, case.size, getattr(torch, case.dtype), device, contested)
    call = found.get(case.name) or _derived(case.family, case.name, device, found)
    if call is None:
        raise NoCallError(f"no call of it in {case.dtype}")
    if case.layout == "strided":
        if getattr(ops.hook(case.family), "contiguous_only", False):
            raise NoCallError("it takes contiguous tensors alone")
        call = tree_map_only(torch.Tensor, _strided, call)
    return func, call
