"""What a trace adds to an op, in host time.

Run: ``MPSOPS_SIMULATOR=1 python -m benchmarks.trace_overhead``. The difference between the same calls with
and without a trace, on one element, so that the op itself is short; medians of blocks that take turns.
"""

import statistics
import time
from collections.abc import Callable

import torch

import mpsops


def block(call: Callable[[], object], repetitions: int) -> float:
    start = time.perf_counter()
    for _ in range(repetitions):
        call()
    return (time.perf_counter() - start) / repetitions * 1e6


def measure(name: str, call: Callable[[], object], repetitions: int = 3000, blocks: int = 15) -> None:
    plain, traced = [], []
    ops = 0.0
    for _ in range(blocks):
        plain.append(block(call, repetitions))
        with mpsops.trace() as trace:
            traced.append(block(call, repetitions))
        ops = trace.totals.calls / repetitions
    without, added = statistics.median(plain), statistics.median(traced) - statistics.median(plain)
    print(f"{name}: {without:.2f} us, traced {added:+.2f} us for {ops:.1f} recorded ops")


def main() -> None:
    device = torch.ones(1, device="mps")
    host = torch.ones(1)
    weight = torch.ones(1, device="mps", requires_grad=True)
    module = torch.nn.Sequential(*[torch.nn.Identity() for _ in range(3)], torch.nn.ReLU()).to("mps")
    measure("add on mps", lambda: device.add(1))
    measure("mode on mps, an mpsops kernel", lambda: torch.mode(device))
    measure("ReLU in nn.Sequential", lambda: module(device))
    measure("multiply, then backward", lambda: (weight * 2).backward())  # noqa: PLW0108
    measure("add on the CPU, which is not recorded", lambda: host.add(1))


if __name__ == "__main__":
    main()
