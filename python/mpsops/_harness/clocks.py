"""How a device is waited for, and how its own time is read."""

import time
from collections.abc import Callable
from typing import Any, Protocol

import torch


class Clock(Protocol):
    """Attributes: device is torch's name of it."""

    device: str

    def now(self) -> float:
        """Seconds, from whenever."""
        ...

    def synchronize(self) -> None: ...

    def device_seconds(self, block: Callable[[], None], lead: float) -> float | None:
        """The device's own time for what a block enqueues; None where it has no such clock.

        ``lead`` is how long the host takes to enqueue it: the device is kept busy as long, so that it does
        not wait for the host inside of the block.
        """
        ...


class WallClock:
    """The host's time."""

    def now(self) -> float:
        return time.perf_counter()


class HostClock(WallClock):
    """The CPU: everything is done when a call returns."""

    device = "cpu"

    def synchronize(self) -> None:
        pass

    def device_seconds(self, block: Callable[[], None], lead: float) -> float | None:
        return None


def _between_events(event: Callable[..., Any], work: Callable[[], None]) -> float:
    """The device's seconds for what `work` enqueues; `event` makes events of its stream."""
    start, end = (event(enable_timing=True) for _ in range(2))
    start.record()
    work()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) / 1e3


class MpsClock(HostClock):
    """A Mac's GPU, or the simulated one, which has no clock of its own."""

    device = "mps"

    def __init__(self, simulated: bool) -> None:
        self.simulated = simulated

    def synchronize(self) -> None:
        torch.mps.synchronize()

    def device_seconds(self, block: Callable[[], None], lead: float) -> float | None:
        if self.simulated:
            return None
        return _between_events(torch.mps.Event, block)


class CudaClock(WallClock):
    """An NVIDIA GPU: CUDA events, behind a kernel that spins while the host enqueues."""

    device = "cuda"
    LONGEST_LEAD = 0.05  # seconds

    def __init__(self) -> None:
        self._cycles_per_second = self._calibrate()

    def synchronize(self) -> None:
        torch.cuda.synchronize()

    def _calibrate(self) -> float:
        cycles = 10_000_000
        for _ in range(2):
            seconds = _between_events(torch.cuda.Event, lambda: torch.cuda._sleep(cycles))
        return cycles / seconds

    def device_seconds(self, block: Callable[[], None], lead: float) -> float | None:
        torch.cuda._sleep(int(min(lead, self.LONGEST_LEAD) * self._cycles_per_second))
        return _between_events(torch.cuda.Event, block)


def wall_seconds(clock: Clock, block: Callable[[], object]) -> float:
    start = clock.now()
    block()
    return clock.now() - start


def waited_seconds(clock: Clock, call: Callable[[], object]) -> float:
    """Of the call, and of the wait until the device is done with it."""

    def waited() -> None:
        call()
        clock.synchronize()

    return wall_seconds(clock, waited)
