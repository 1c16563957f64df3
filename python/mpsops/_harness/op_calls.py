"""Real calls of every registered overload, recorded from PyTorch's OpInfo samples.

The registry names the OpInfo entries of each op; nothing here lists an op.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

import mpsops
from mpsops import _opinfo

if TYPE_CHECKING:  # importing them settles whether there is an mps device
    from torch.testing._internal.opinfo.core import OpInfo, SampleInput

# Where the registered kernels run: a Mac's GPU or the simulated one; an NVIDIA GPU for the cuda runtime.
DEVICE = "cuda" if mpsops._C.runtime == "cuda" else "mps"

Call = tuple[torch._ops.OpOverload, tuple[Any, ...], dict[str, Any]]


def overload_name(func: torch._ops.OpOverload) -> str:
    """``aten::mode`` or ``aten::mode.values``, as the registry spells it."""
    overload = func._schema.overload_name
    return func._schema.name + (f".{overload}" if overload else "")


class Recorder(TorchDispatchMode):
    """Keeps the calls of registered overloads, those that autograd makes included."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names = {row.name for row in mpsops.ops()}
        self.calls: dict[str, list[Call]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if (name := overload_name(func)) in self.names:
            detached = tree_map_only(torch.Tensor, torch.Tensor.detach, (args, kwargs or {}))
            self.calls.setdefault(name, []).append((func, *detached))
        return func(*args, **(kwargs or {}))


def tensors(value: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_flatten(value)[0] if isinstance(leaf, torch.Tensor)]


def run_all_forms(info: OpInfo, sample: SampleInput) -> None:
    outputs = tensors(info.op(sample.input, *sample.args, **sample.kwargs))
    if tracked := [out for out in outputs if out.requires_grad]:
        torch.autograd.backward(tracked, [torch.ones_like(out) for out in tracked])
    if info.inplace_variant is not None and not sample.broadcasts_input:
        with torch.no_grad():
            info.inplace_variant(sample.input.clone(), *sample.args, **sample.kwargs)
    if info.supports_out:
        buffers = [torch.empty_like(out) for out in outputs]
        with torch.no_grad():
            out = buffers[0] if len(buffers) == 1 else tuple(buffers)
            info.op(sample.input, *sample.args, **sample.kwargs, out=out)


def record(samples: Iterator[tuple[OpInfo, SampleInput]]) -> dict[str, list[Call]]:
    """The calls of registered overloads, by name, that the samples (on the device) lead to."""
    recorder = Recorder()
    with recorder:
        for info, sample in samples:
            run_all_forms(info, sample)
    return recorder.calls


def samples(
    name: str, dtype: torch.dtype = torch.float32, device: str = DEVICE
) -> Iterator[tuple[OpInfo, SampleInput]]:
    """The samples, on a device, of the OpInfo entries of a name; of a dtype that they take."""
    for info in _opinfo.find(name):
        supported = set(info.supported_dtypes("cpu"))
        taken = next(each for each in (dtype, torch.int64, *sorted(supported, key=str)) if each in supported)
        differentiable = info.supports_autograd and (taken.is_floating_point or taken.is_complex)
        for sample in info.sample_inputs(device, taken, requires_grad=differentiable):
            yield info, sample


def all_calls() -> dict[str, list[Call]]:
    """Every call that the OpInfo samples of all registered ops make on the device."""
    names = sorted({name for row in mpsops.ops() for name in row.opinfo})
    return record(itertools.chain.from_iterable(map(samples, names)))
