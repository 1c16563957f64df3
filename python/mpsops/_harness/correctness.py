"""The verdict on a result: against the CPU in float64, from the very call that is timed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch.utils._pytree import tree_map_only

from . import op_calls, ops, overloads
from .overloads import Call

# Of an element, and of the root mean square of the result: sums are as good as their largest terms. And as
# torch.testing has it, an absolute part, for what is nearly zero.
ABSOLUTE = 1e-5
TOLERANCE = {torch.float32: 1e-5, torch.complex64: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}


@dataclass(frozen=True)
class Verdict:
    """Attributes: note is empty for a right result; errors are against ``reference``, tol is relative."""

    note: str
    reference: str | None = None
    max_abs_err: float | None = None
    max_rel_err: float | None = None
    tol: float | None = None


def cloned(value: Any) -> Any:
    """A call's arguments in memory of their own, with the same strides; aliases stay aliases."""
    seen: dict[tuple[Any, ...], torch.Tensor] = {}

    def clone(tensor: torch.Tensor) -> torch.Tensor:
        key = (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        if key not in seen:
            seen[key] = tensor.clone()
        return seen[key]

    return tree_map_only(torch.Tensor, clone, value)


def results(func: torch._ops.OpOverload, call: Call) -> list[torch.Tensor]:
    """What a call returns, then the arguments that it changes; each memory once."""
    args, kwargs = call
    found = op_calls.tensors(func(*args, **kwargs))
    arguments = overloads.bound(func, call)
    seen = {out.data_ptr() for out in found}
    for argument in func._schema.arguments:
        if argument.alias_info is not None and argument.alias_info.is_write:
            for tensor in op_calls.tensors(arguments.get(argument.name)):
                if tensor.data_ptr() not in seen:
                    found.append(tensor)
    return found


def _in(dtype: torch.dtype) -> Callable[[torch.Tensor], torch.Tensor]:
    def convert(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.is_complex():
            return tensor.to(dtype.to_complex())
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    return convert


def _formula(family: str, name: str) -> Any:
    """What stands on the CPU for an op without a CPU kernel: of the hook, or the op of its OpInfo entry."""
    import mpsops
    from mpsops import _opinfo

    functional = {name, name.removesuffix("_out"), name.removesuffix(".out")}
    special = getattr(ops.hook(family), "references", {})
    for each in functional:
        if each in special:
            return special[each]
    for row in mpsops.ops():
        if row.name in functional:
            for info in (entry for opinfo in row.opinfo for entry in _opinfo.find(opinfo)):
                return info.op
    return None


def _has_cpu_kernel(name: str) -> bool:
    keys = ("CPU", "CompositeExplicitAutograd", "CompositeImplicitAutograd")
    return any(torch._C._dispatch_has_kernel_for_dispatch_key(name, key) for key in keys)


def on_cpu(family: str, func: torch._ops.OpOverload, call: Call) -> list[torch.Tensor]:
    """The CPU's results of a call whose tensors are on the CPU."""
    name = op_calls.overload_name(func)
    special = getattr(ops.hook(family), "references", {})
    if _has_cpu_kernel(name) and name not in special:
        return results(func, call)
    formula = _formula(family, name)
    if formula is None:
        raise NotImplementedError(f"{name} has no CPU kernel and no reference")
    args, kwargs = call
    given = overloads.outputs_given(func)
    return op_calls.tensors(formula(*args, **{k: v for k, v in kwargs.items() if k not in given}))


def _compare(actual: torch.Tensor, references: list[torch.Tensor], tol: float) -> tuple[float, float, bool]:
    """The largest error to the nearest reference of each element, absolute and relative; if it is allowed."""
    wide = references[0].double()
    size = wide.abs() + wide[wide.isfinite()].pow(2).mean().sqrt().nan_to_num(0.0)
    error = torch.full_like(wide, float("inf"))
    found = actual.double()
    for reference in references:
        other = reference.double()
        same = (found == other) | (found.isnan() & other.isnan())
        distance = (found - other).abs().nan_to_num(float("inf"), float("inf"))
        error = torch.minimum(error, torch.where(same, torch.zeros_like(wide), distance))
    allowed = tol * size + (ABSOLUTE if tol else 0.0)
    relative = torch.where(error == 0, error, error / size.clamp_min(1e-300))
    return float(error.max()), float(relative.max()), bool(((error <= allowed) | (error == 0)).all())


def _plain(tensor: torch.Tensor, device: str) -> torch.Tensor:
    placed = tensor.to(device)
    return torch.view_as_real(placed.resolve_conj()) if placed.is_complex() else placed


class Judge:
    """Of one call: the references are computed when first needed, and serve every contestant."""

    def __init__(self, family: str, func: torch._ops.OpOverload, call: Call, compare_on: str = "cpu") -> None:
        self.family, self.func, self.call, self.compare_on = family, func, call, compare_on
        self.module = ops.hook(family)
        self.name = op_calls.overload_name(func)

    def _of_hook(self, table: str) -> Any:
        return getattr(self.module, table, {}).get(self.name)

    def _on_cpu_in(self, convert: Callable[[torch.Tensor], torch.Tensor]) -> list[torch.Tensor]:
        # Contiguous: some CPU kernels read a strided mask wrongly, or take none.
        host = tree_map_only(torch.Tensor, lambda t: convert(t.cpu()).contiguous(), cloned(self.call))
        return [_plain(t, self.compare_on) for t in on_cpu(self.family, self.func, host)]

    @cached_property
    def _reference(self) -> tuple[str, list[torch.Tensor]]:
        """In float64; in float32 where an op takes no other, as some of quantisation."""
        try:
            return "float64", self._on_cpu_in(_in(torch.float64))
        except RuntimeError:
            return "float32", self._on_cpu_in(_in(torch.float32))

    @cached_property
    def _same_dtype(self) -> list[torch.Tensor]:
        return self._on_cpu_in(lambda tensor: tensor)

    def verdict(self, arguments: Call, actual: list[torch.Tensor]) -> Verdict:
        """On what a call on ``arguments`` gave."""
        if (check := self._of_hook("checks")) is not None:
            placed = tree_map_only(torch.Tensor, lambda t: t.to(self.compare_on), (arguments[0], actual))
            if note := check(*placed):
                return Verdict(note)
        compared = self._of_hook("compared_outputs")
        if compared == []:
            return Verdict("", "distribution")
        precision, wide = self._reference
        worst = [0.0, 0.0, 0.0]
        for index, (found, reference) in enumerate(zip(actual, wide, strict=False)):
            if found.numel() == 0 or (compared is not None and index not in compared):
                continue
            tol = TOLERANCE.get(found.dtype, 0.0)
            placed = _plain(found, self.compare_on)
            if placed.shape != reference.shape:
                return Verdict(f"output {index}: shape {tuple(placed.shape)} is not {tuple(reference.shape)}")
            absolute, relative, right = self._compared(index, placed, reference, tol)
            if not right:
                text = f"output {index} is off by {absolute:.3g}"
                return Verdict(text, precision, absolute, relative, tol)
            worst = [max(pair) for pair in zip(worst, (absolute, relative, tol), strict=True)]
        return Verdict("", precision, *worst)

    def _compared(
        self, index: int, found: torch.Tensor, reference: torch.Tensor, tol: float
    ) -> tuple[float, float, bool]:
        absolute, relative, right = _compare(found, [reference], tol)
        if right:
            return absolute, relative, right
        # Rounding may decide otherwise in float64: then the CPU in the same dtype agrees, or is as far off.
        same = self._same_dtype[index]
        _, allowed, _ = _compare(same, [reference], tol)
        absolute, relative, right = _compare(found, [reference, same], tol)
        return absolute, relative, right or (tol > 0 and relative <= allowed)
