"""What a model case is: a module, its inputs and its loss, in two scales."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

Mode = Literal["infer", "train"]
Scale = Literal["small", "full"]
Loss = Callable[[Any], Tensor]


@dataclass(frozen=True)
class Published:
    """A speed-up over the CPU of the same machine that somebody published.

    Attributes:
        speedup: time on the CPU / time on MPS; None where MPS crashed.
        source: who, when, on what.
    """

    mode: Mode
    speedup: float | None
    source: str


@dataclass
class Workload:
    """A module with inputs for it, on the CPU.

    Attributes:
        module: what is timed; without parameters for a pipeline.
        inputs: its positional arguments.
        loss: of its result; None where nothing can be trained.
        scaled: what differs from the full scale, in words; empty if nothing does.
        independent: whether an item's result, in evaluation mode, is the same in any batch.
        input_gradients: of the last step, for the inputs of a pipeline.
    """

    module: nn.Module
    inputs: tuple[Any, ...]
    loss: Loss | None = None
    scaled: str = ""
    independent: bool = False
    input_gradients: list[Tensor | None] = field(default_factory=list)

    def to(self, device: str, dtype: torch.dtype | None = None) -> "Workload":
        """The same on a device, and with its floating-point values in a dtype; this one stays as it is."""

        def place(tensor: Tensor) -> Tensor:
            return tensor.to(device, dtype if tensor.is_floating_point() else None)

        return self._changed(lambda module: module.to(device, dtype), place)

    def items(self, chosen: list[int]) -> "Workload":
        """Some items of the batch: of the first dimension of inputs, and of the buffers of the loss."""
        return self._changed(lambda module: module, lambda tensor: tensor[chosen])

    def _changed(
        self,
        of_module: Callable[[nn.Module], nn.Module],
        of_tensor: Callable[[Tensor], Tensor],
    ) -> "Workload":
        loss = copy.deepcopy(self.loss)
        if isinstance(loss, nn.Module):
            for name, buffer in list(loss.named_buffers()):
                setattr(loss, name, of_tensor(buffer))
        inputs = tree_map_only(Tensor, of_tensor, self.inputs)
        module = of_module(copy.deepcopy(self.module))
        return Workload(module, inputs, loss, self.scaled, self.independent)

    def infer(self) -> Any:
        """The result in evaluation mode, without a graph."""
        if self.module.training:
            self.module.eval()
        with torch.no_grad():
            return self.module(*self.inputs)

    def optimizer(self, eps: float = 1e-8) -> torch.optim.Optimizer | None:
        """Adam, as in the published training runs; None for a pipeline."""
        parameters = list(self.module.parameters())
        return torch.optim.Adam(parameters, lr=1e-3, eps=eps) if parameters else None

    def step(self, optimizer: torch.optim.Optimizer | None) -> Tensor:
        """Forward, backward and an optimizer step. A pipeline's gradients go to its floating-point inputs.

        Returns:
            The loss, a 0-d tensor that is still on the device.
        """
        if self.loss is None:
            raise ValueError("step: this workload has no loss")
        if not self.module.training:
            self.module.train()
        inputs = self.inputs
        if optimizer is None:
            inputs = tree_map_only(Tensor, _tracked, inputs)
        else:
            optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.module(*inputs))
        loss.backward()
        if optimizer is not None:
            optimizer.step()
        self.input_gradients = [tensor.grad for tensor in tree_leaves(inputs) if isinstance(tensor, Tensor)]
        return loss.detach()


def _tracked(tensor: Tensor) -> Tensor:
    return tensor.detach().requires_grad_(tensor.is_floating_point())


@dataclass(frozen=True)
class ModelCase:
    """One program.

    Attributes:
        name: of the system, as its paper or library calls it.
        make: from the scale and the batch; seeded, so that two calls make the same.
        infer_batches, train_batches: of the full scale; empty where a mode does not exist.
        published: figures of others, drawn beside ours and never mixed with them.
    """

    name: str
    make: Callable[[Scale, int], Workload]
    infer_batches: tuple[int, ...] = (1, 16, 64)
    train_batches: tuple[int, ...] = (64,)
    published: tuple[Published, ...] = ()

    def workload(self, scale: Scale, batch: int) -> Workload:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self.make(scale, batch)


class CrossEntropy(nn.Module):
    """Against fixed classes, which move with it."""

    targets: Tensor

    def __init__(self, targets: Tensor) -> None:
        super().__init__()
        self.register_buffer("targets", targets)

    def forward(self, logits: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits, self.targets)
