"""Samples from an op's schema alone: arguments are tried until the CPU takes them."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from mpsops import OpRow

from .sample import Sample, tensors

# Square first: some internal ops of the CPU read on where sizes do not match.
_SHAPES = ((5, 5), (4, 6), (2, 3, 8, 9), (2, 3, 5, 6, 7), (1, 1, 5))
_TRIES = 400
_WORDS = ("sum", "mean", "max")


def _overload(name: str) -> Any:
    op, _, overload = name.removeprefix("aten::").partition(".")
    return getattr(getattr(torch.ops.aten, op), overload or "default")


def _choices(argument: Any, shape: tuple[int, ...], floating: torch.dtype) -> list[Any]:
    """Values worth a try; the first is the likeliest."""
    kind = str(argument.type)
    # Between 0 and 1, where the special functions are defined; ones are valid as index and as length.
    inside = torch.rand(shape).clamp(0.02, 0.98).to(floating)
    if argument.name == "random_samples":  # one for each axis of each channel
        return [inside.flatten(2)[..., : len(shape) - 2]] if len(shape) > 2 else [inside]
    if kind == "Tensor":
        indices = [torch.ones(size, dtype=torch.int64) for size in (shape[:1], shape)]
        return [inside, *indices, torch.rand(shape) < 0.3]
    if argument.has_default_value():
        lengths = [torch.ones(shape[:1], dtype=torch.int64)] if kind == "Optional[Tensor]" else []
        return [argument.default_value, *lengths]
    values: dict[str, list[Any]] = {
        "int": [1],
        "float": [1.0],
        "number": [1.0],
        "bool": [False],
        "str": list(_WORDS),
        "List[Tensor]": [[inside, inside.clone()]],
        "List[int]": [*([2] * length for length in (1, 2, 3)), [1]],
    }
    return values.get(kind, [None])


def _out_names(schema: Any) -> tuple[str, ...]:
    return tuple(argument.name for argument in schema.arguments if argument.is_out)


def _differentiable(sample: Sample, results: list[torch.Tensor]) -> bool:
    """Some ops have no derivative, and say so in the backward pass only."""
    tracked = [result for result in results if result.requires_grad]
    try:
        torch.autograd.grad(
            tracked, sample.leaves(), [torch.ones_like(result) for result in tracked], allow_unused=True
        )
    except RuntimeError:
        return False
    return True


def _adds_to_out(sample: Sample, results: list[torch.Tensor]) -> bool:
    """An internal op may add to what out= holds, on the CPU too."""
    buffers = [torch.ones_like(result) for result in results]
    sample.call_out(buffers)
    pairs = zip(buffers, results, strict=True)
    added = [buffer.double() - result.detach().double() for buffer, result in pairs]
    return all(((values - 1).abs() < 0.1).all() for values in added)


def _of(schema: Any, label: str, floating: torch.dtype, out: tuple[str, ...]) -> Iterator[Sample]:
    """The first call that the CPU takes. One is enough: internal ops take more than they are meant for."""
    function = getattr(torch.ops.aten, schema.name.removeprefix("aten::"))
    ties = any(result.name == "indices" for result in schema.returns)
    arguments = [argument for argument in schema.arguments if not argument.is_out]
    if not any(str(argument.type) == "Tensor" for argument in arguments):
        yield from _factory(function, arguments, label, floating)
        return
    for shape in _SHAPES:
        choices = [_choices(argument, shape, floating) for argument in arguments]
        # Further tensors may be such as autograd knows no gradient of.
        for tensor in tensors(choices[:1]):
            tensor.requires_grad_(tensor.is_floating_point())
        for values in itertools.islice(itertools.product(*choices), _TRIES):
            given = dict(zip((argument.name for argument in arguments), values, strict=True))
            kwargs = {a.name: given.pop(a.name) for a in arguments if a.kwarg_only}
            sample = Sample(label, function, tuple(given.values()), kwargs, out, ties)
            try:
                results = tensors(sample.call())
            except (RuntimeError, TypeError, IndexError, ValueError):
                continue
            if all(result.numel() for result in results):
                if not _differentiable(sample, results):
                    for leaf in sample.leaves():
                        leaf.requires_grad_(False)
                yield replace(sample, out=()) if out and _adds_to_out(sample, results) else sample
                return


def _factory(function: Any, arguments: list[Any], label: str, dtype: torch.dtype) -> Iterator[Sample]:
    """Without a tensor that says on which device, the output does."""

    def call(device_tensor: torch.Tensor, *values: Any) -> Any:
        return function(*values, out=torch.empty_like(device_tensor))

    values = [_choices(argument, (), dtype)[0] for argument in arguments]
    yield Sample(label, call, (torch.empty(0, dtype=dtype), *values), {})


def samples(rows: list[OpRow]) -> Iterator[Sample]:
    """Of functional forms that are nobody's backward: autograd leads to those.

    Where only the out= form is ours, torch's functional form leads to that.
    """
    schemas = {row.name: _overload(row.name)._schema for row in rows}
    outs = {schema.name: _out_names(schema) for schema in schemas.values() if _out_names(schema)}
    functional = {schema.name for schema in schemas.values() if not _out_names(schema)}
    for row in rows:
        schema = schemas[row.name]
        if _out_names(schema) and schema.name in functional:
            continue
        if schema.name.endswith("_") or "backward" in schema.name:
            continue
        for dtype in row.dtypes:
            if getattr(torch, dtype).is_floating_point:
                label = f"{row.name.removeprefix('aten::')} {dtype}"
                yield from _of(schema, label, getattr(torch, dtype), outs.get(schema.name, ()))
