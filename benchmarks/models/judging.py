"""Whether a device computes what the CPU does: the result, or loss, gradients and weights after a step.

The reference is float64 on the CPU. Distances are of all values together, as a part of their length: a
network's single values have no scale of their own.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from .dropout import WithoutDropout
from .workload import Mode, Workload

TOLERANCES = {"result": 1e-5, "loss": 1e-5, "gradients": 1e-4, "weights": 1e-5}
# Some networks amplify rounding: there, this many times as far off as float32 on the CPU. No farther than
# MOST: what is all zeros is at 1, what has the wrong sign at 2.
OWN_ERROR = 4.0
MOST = {"result": 0.05, "loss": 0.05, "gradients": 0.5, "weights": 0.05}
JUDGED_ITEMS = 4  # of a batch: the CPU is slow in float64
# Adam's first step is the gradient's sign: with its default, noise would be as large as the step.
EPSILON = 1e-3

Observed = dict[str, list[Tensor]]


@dataclass(frozen=True)
class ProgramVerdict:
    """Attributes: note is empty for a right result; of the errors, the largest part of its tol is given."""

    note: str
    reference: str
    max_rel_err: float
    tol: float


def distance(ours: list[Tensor], theirs: list[Tensor]) -> float:
    """Of our tensors from theirs, as a part of their length; infinite where shapes differ or NaN is."""
    if [each.shape for each in ours] != [each.shape for each in theirs]:
        return float("inf")
    a, b = (torch.cat([each.detach().cpu().double().flatten() for each in side]) for side in (ours, theirs))
    error = float((a - b).norm())
    if error == 0:
        return 0.0
    return float("inf") if math.isnan(error) else error / float(b.norm().clamp_min(1e-300))


def _spread(batch: int) -> list[int]:
    """Items from the first to the last."""
    if batch <= JUDGED_ITEMS:
        return list(range(batch))
    return [round(i * (batch - 1) / (JUDGED_ITEMS - 1)) for i in range(JUDGED_ITEMS)]


def _on_host(tensors: list[Any]) -> list[Tensor]:
    return [each.detach().cpu() for each in tensors if isinstance(each, Tensor)]


def _floats(module: nn.Module) -> list[Tensor]:
    return [each for each in module.state_dict().values() if each.is_floating_point()]


def trained(workload: Workload) -> Observed:
    """Loss, gradients and weights after a step without dropout; the weights are changed by it."""
    optimizer = workload.optimizer(eps=EPSILON)
    with WithoutDropout():
        loss = workload.step(optimizer)
    if optimizer is None:
        return {"loss": _on_host([loss]), "gradients": _on_host(workload.input_gradients)}
    gradients = [parameter.grad for parameter in workload.module.parameters()]
    return {
        "loss": _on_host([loss]),
        "gradients": _on_host(gradients),
        "weights": _on_host(_floats(workload.module)),
    }


def inferred(workload: Workload) -> Observed:
    return {"result": _on_host(tree_leaves(workload.infer()))}


class ProgramJudge:
    """Of a program on the CPU, which it leaves as it is.

    Inference is judged in the whole batch, of which some items are compared: where they are independent, the
    CPU need not compute the others. Training is judged in a batch of these items.

    Attributes:
        items: how many of the batch the CPU computes.
    """

    def __init__(self, workload: Workload, mode: Mode, batch: int) -> None:
        self.mode = mode
        self.chosen = _spread(batch) if workload.independent else None
        self.items = batch if self.chosen is None else len(self.chosen)
        self.judged = workload if self.chosen is None else workload.items(self.chosen)

    def observed(self, on_device: Workload, device: str) -> Observed:
        """What is to be judged; inference is that of `on_device`, which is timed afterwards."""
        if self.mode == "train":
            return trained(self.judged.to(device))
        found = inferred(on_device)
        if self.chosen is not None:
            found["result"] = [each[self.chosen] for each in found["result"]]
        return found

    def _reference(self, dtype: torch.dtype) -> Observed:
        workload = self.judged.to("cpu", dtype)
        return trained(workload) if self.mode == "train" else inferred(workload)

    def verdict(self, found: Observed) -> ProgramVerdict:
        """On what was observed on a device."""
        try:
            reference, name = self._reference(torch.float64), "float64"
        except RuntimeError:  # float32 constants, of the program
            reference, name = self._reference(torch.float32), "float32"
        worst = _worst(found, reference, TOLERANCES)
        if worst.ratio <= 1:
            return ProgramVerdict("", name, worst.error, worst.allowed)
        same = self._reference(torch.float32)
        # A decision may hang on rounding, as that of RANSAC: then float32 on the CPU decides alike.
        near = _worst(found, same, TOLERANCES)
        if near.ratio <= 1:
            return ProgramVerdict("", "float32", near.error, near.allowed)
        own = {key: distance(same[key], reference[key]) for key in reference}
        allowed = {key: max(TOLERANCES[key], min(OWN_ERROR * own[key], MOST[key])) for key in own}
        worst = _worst(found, reference, allowed)
        note = f"{worst.name} off by {worst.error:.3g} of the length" if worst.ratio > 1 else ""
        return ProgramVerdict(note, name, worst.error, worst.allowed)


@dataclass(frozen=True)
class _Worst:
    name: str
    error: float
    allowed: float

    @property
    def ratio(self) -> float:
        return self.error / self.allowed


def _worst(found: Observed, reference: Observed, allowed: dict[str, float]) -> _Worst:
    """The part that is the farthest off, as a part of what is allowed."""
    errors = [_Worst(key, distance(found[key], reference[key]), allowed[key]) for key in reference]
    return max(errors, key=lambda each: each.ratio)
