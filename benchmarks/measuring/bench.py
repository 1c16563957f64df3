"""What every measurement needs: the provider, its device and clock; and what an exception says of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks import pairs, providers
from benchmarks.environment import device_name
from mpsops._harness import timing
from mpsops._harness.clocks import Clock, CudaClock, HostClock, MpsClock

# Of torch for CUDA and MPS, of a Mac for one buffer beyond its limit, of the CPU's allocator.
_MEMORY_TEXTS = ("out of memory", "Invalid buffer size", "can't allocate memory", "not enough memory")


@dataclass(frozen=True)
class Result:
    """What becomes a row, with the columns of the case. Attributes: contestant is the row's provider."""

    contestant: str
    status: str
    note: str
    columns: dict[str, Any]


Measure = Callable[[Any, "Bench"], Iterator[Result]]


class Bench:
    """A provider that is ready in this process. Attributes: name is the device's, as rows have it."""

    def __init__(self, provider: providers.Provider, plan: timing.Plan) -> None:
        self.provider, self.plan = provider, plan
        simulated = providers.start(provider)
        self.clock = _clock_of(provider, simulated)
        self.name = device_name(provider.device, simulated)

    @property
    def device(self) -> str:
        return self.provider.device

    def release(self) -> None:
        """Gives back what the allocator keeps."""
        if self.device != "cpu":
            getattr(torch, self.device).empty_cache()


def _clock_of(provider: providers.Provider, simulated: bool) -> Clock:
    if provider.device == "cuda":
        return CudaClock()
    return MpsClock(simulated) if provider.device == "mps" else HostClock()


def is_lost(error: Exception) -> bool:
    """Whether the CUDA context is gone with it."""
    return "CUDA error" in str(error) or "illegal memory access" in str(error)


def is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and any(text in str(error) for text in _MEMORY_TEXTS)
    )


def refusal(contestant: str, error: Exception) -> str:
    """The status of a call that raised: ours lacks an op, or has an error; others do not take the call."""
    # Partial ops leave the rest to torch's MPS kernel, which other devices do not have.
    lacking = isinstance(error, NotImplementedError) or "to pass this call on" in str(error)
    return "unsupported" if lacking or contestant not in pairs.OURS else "error"


def first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].split(". ")[0][:200] if lines else type(error).__name__
