"""A call to try, on the CPU and on the device."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map


@dataclass(frozen=True)
class Sample:
    """One call.

    Attributes:
        label: what the user would call it, ``nn.functional.pdist float32``.
        function: takes ``args`` and ``kwargs``.
        args: on the CPU.
        kwargs: on the CPU.
        out: names of the arguments that results are written to; a single name takes all of them.
        ties: the last result tells which element was chosen, and equal ones are as good.
    """

    label: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    out: tuple[str, ...] = ()
    ties: bool = False

    def map(self, convert: Callable[[torch.Tensor], torch.Tensor]) -> "Sample":
        """With every tensor replaced; leaves that require grad go on to require it."""

        def replace(leaf: Any) -> Any:
            if not isinstance(leaf, torch.Tensor):
                return leaf
            return convert(leaf.detach()).requires_grad_(leaf.requires_grad)

        args, kwargs = tree_map(replace, (self.args, self.kwargs))
        return Sample(self.label, self.function, args, kwargs, self.out, self.ties)

    def call(self, **further: Any) -> Any:
        return self.function(*self.args, **self.kwargs, **further)

    def call_out(self, buffers: list[torch.Tensor]) -> None:
        value = buffers[0] if len(buffers) == 1 else tuple(buffers)
        with torch.no_grad():
            self.call(
                **({self.out[0]: value} if len(self.out) == 1 else dict(zip(self.out, buffers, strict=True)))
            )

    def leaves(self) -> list[torch.Tensor]:
        return [tensor for tensor in tensors((self.args, self.kwargs)) if tensor.requires_grad]


def tensors(value: object) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]
