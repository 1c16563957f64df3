"""What a machine does without our help, to read other figures by: launches, waits, copies, drift."""

from collections.abc import Callable
from statistics import median

import torch

from mpsops._harness.clocks import Clock, waited_seconds

COPY_BYTES = {"cuda": 1 << 30, "mps": 1 << 26, "cpu": 1 << 26}
DRIFT = 0.10


class Baselines:
    """Measured in the process of the cases, on their device."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.one = torch.zeros(1, device=clock.device)
        self.canary = torch.ones(1 << 20, device=clock.device)

    def _latency(self, call: Callable[[], object], repetitions: int = 50) -> float:
        waited_seconds(self.clock, call)
        return median(waited_seconds(self.clock, call) for _ in range(repetitions))

    def canary_ms(self) -> float:
        """One fixed op, by the device's clock if it has one: between two of these the machine changes."""

        def block() -> None:
            for _ in range(50):
                self.canary.mul(2.0)

        block()
        seconds = self.clock.device_seconds(block, 2e-3)
        return 1e3 * (self._latency(lambda: self.canary.mul(2.0)) if seconds is None else seconds / 50)

    def copy_gbps(self) -> float:
        """Read plus write of one large copy inside of the device, in GB/s: what shares are of."""
        size = COPY_BYTES[self.clock.device]
        source = torch.ones(size, dtype=torch.uint8, device=self.clock.device)
        target = torch.empty_like(source)
        calls = 10

        def block() -> None:
            for _ in range(calls):
                target.copy_(source)

        waited_seconds(self.clock, block)
        times = [
            self.clock.device_seconds(block, 1e-3) or waited_seconds(self.clock, block) for _ in range(3)
        ]
        return 2 * size * calls / median(times) / 1e9

    def measure(self) -> dict[str, float]:
        """Milliseconds of a wait for nothing and of the smallest kernel; the copy bandwidth."""
        return {
            "sync_ms": 1e3 * self._latency(lambda: None),
            "launch_ms": 1e3 * self._latency(lambda: self.one + 0),
            "canary_ms": self.canary_ms(),
            "copy_gbps": self.copy_gbps(),
        }
