"""A machine on which calls take as long, and come out, as a test says."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mpsops import _C
from mpsops._harness import op_calls
from mpsops._tuning import contest

# Seconds of a call, by overload, dtype, elements, whether it is mpsops', and how many there were before.
Times = Callable[[str, str, int, bool, int], float]


def always(ours: float, torchs: float) -> Times:
    return lambda name, dtype, elements, is_ours, count: ours if is_ours else torchs


TWICE_AS_FAST = always(1e-2, 2e-2)


class FakeMachine(TorchDispatchMode):
    """Inside of it, time passes in calls of contested ops on the device, and nowhere else.

    Also the clock of a contest. ``spoil`` may change results, or raise.
    """

    device = "mps"

    def __init__(
        self,
        times: Times = TWICE_AS_FAST,
        spoil: Callable[[bool, Any], None] = lambda is_ours, out: None,
    ) -> None:
        super().__init__()
        self.times, self.spoil = times, spoil
        self.ops = {op.name: op for op in contest.candidates()}
        self.passed = 0.0
        self.counts = {True: 0, False: 0}

    def now(self) -> float:
        return self.passed

    def synchronize(self) -> None:
        torch.mps.synchronize()

    def device_seconds(self, block: Callable[[], None], lead: float) -> float | None:
        return None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = op_calls.overload_name(func)
        tensors = op_calls.tensors((args, kwargs))
        result = func(*args, **(kwargs or {}))
        if name in self.ops and tensors[0].device.type == "mps":
            is_ours = self.ops[name].enabled
            dtype = str(tensors[0].dtype).removeprefix("torch.")
            elements = max(tensor.numel() for tensor in tensors)
            self.passed += self.times(name, dtype, elements, is_ours, self.counts[is_ours])
            self.counts[is_ours] += 1
            self.spoil(is_ours, result)
        return result


def op_of(name: str) -> "_C.Op":
    return next(op for op in _C.ops() if op.name == name)
