"""One sample of PyTorch's OpInfo database, computed on a device and brought back."""

from collections.abc import Callable
from typing import Any

import torch
from torch.testing._internal.opinfo.core import OpInfo, SampleInput
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

FLOAT64 = "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64."

# These want their further tensors on the CPU, whatever the device.
CPU_ARGUMENTS = {"tensor_split"}


def entry_name(op: OpInfo) -> str:
    return "_".join(filter(None, (op.name, op.variant_test_name)))


Results = list[torch.Tensor | None]


def moved(tree: Any, device: str) -> Any:
    """The same tensors on another device, with the storage, strides and offsets of the originals."""

    def move(leaf: Any) -> Any:
        if isinstance(leaf, torch.device):
            return torch.device(device)
        if not isinstance(leaf, torch.Tensor) or leaf.device.type == device:
            return leaf
        with torch.no_grad():
            if leaf.layout == torch.strided:
                memory = torch.empty(0, dtype=leaf.dtype, device=leaf.device).set_(leaf.untyped_storage())
                copy = memory.to(device).as_strided(leaf.shape, leaf.stride(), leaf.storage_offset())
            else:
                copy = leaf.to(device)
        return copy.requires_grad_(leaf.requires_grad)

    return tree_map(move, tree)


class Recorder(TorchDispatchMode):
    """What happened below autograd: were there random numbers, or float64 tensors?"""

    random = False
    float64 = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.random |= torch.Tag.nondeterministic_seeded in func.tags
        leaves = tree_leaves((args, kwargs, result))
        double = (torch.float64, torch.complex128)
        self.float64 |= any(leaf in double or getattr(leaf, "dtype", None) in double for leaf in leaves)
        return result


def evaluate(op: OpInfo, sample: SampleInput, device: str) -> list[torch.Tensor | None]:
    """Outputs and gradients of one sample, computed on the device, returned on the CPU."""
    further = (sample.args, sample.kwargs)
    positional, keywords = further if op.name in CPU_ARGUMENTS else moved(further, device)
    arguments = (moved(sample.input, device), *positional)
    torch.manual_seed(0)
    result = op(*arguments, **keywords)
    outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
    results: list[torch.Tensor | None] = list(outputs)
    inputs = [
        leaf
        for leaf in tree_leaves((arguments, keywords))
        if isinstance(leaf, torch.Tensor) and leaf.requires_grad
    ]
    processed = tree_leaves(sample.output_process_fn_grad(result)) if inputs else []
    roots = [leaf for leaf in processed if isinstance(leaf, torch.Tensor) and leaf.requires_grad]
    if op.supports_autograd and roots:
        torch.manual_seed(1)
        dense = [root.to_dense() if root.layout != torch.strided else root for root in roots]
        seeds = [torch.randn(root.shape, dtype=root.dtype).to(device) for root in dense]
        results += torch.autograd.grad(dense, inputs, seeds, allow_unused=True)
    return [None if tensor is None else tensor.detach().cpu() for tensor in results]


def outcome(compute: Callable[[], list[torch.Tensor | None]]) -> list[torch.Tensor | None] | Exception:
    try:
        return compute()
    except Exception as error:  # compared with the other device's below
        return error


def text(error: Exception) -> str:
    return str(error).split("\nException raised from")[0]


def recorded(op: OpInfo, sample: SampleInput) -> Recorder:
    with Recorder() as recorder:
        outcome(lambda: evaluate(op, sample, "cpu"))
    return recorder


def assert_same(
    op: OpInfo,
    sample: SampleInput,
    mps: list[torch.Tensor | None],
    cpu: list[torch.Tensor | None] | Exception,
) -> None:
    """The CPU's results; of random ones, the shapes, and the same numbers again."""
    assert not isinstance(cpu, Exception), f"the CPU refuses: {cpu}"
    try:
        torch.testing.assert_close(mps, cpu, rtol=1e-5, atol=1e-5, equal_nan=True)
    except AssertionError:
        if not recorded(op, sample).random:
            raise
        shapes = [[getattr(tensor, "shape", None) for tensor in tensors] for tensors in (mps, cpu)]
        assert shapes[0] == shapes[1]
        torch.testing.assert_close(evaluate(op, sample, "mps"), mps, equal_nan=True)
