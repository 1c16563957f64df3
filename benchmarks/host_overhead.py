"""Host time of one call of each registered overload, kernel execution left out: goal under 10 us.

Run: ``MPSOPS_SIMULATOR=1 python -m benchmarks.host_overhead``. On the simulator kernels are encoded but
not executed while the clock runs, so the time is the dispatcher, the op's checks, its allocations and
the encoding; it says nothing about a Mac.
"""

import statistics
import time

import torch

import mpsops
from mpsops._harness.op_calls import Call, all_calls, tensors


def microseconds(call: Call, repetitions: int = 2000, blocks: int = 7) -> float:
    func, args, kwargs = call
    times = []
    for _ in range(blocks):
        start = time.perf_counter()
        for _ in range(repetitions):
            func(*args, **kwargs)
        times.append((time.perf_counter() - start) / repetitions * 1e6)
    return statistics.median(times)


def elements(call: Call) -> int:
    return sum(tensor.numel() for tensor in tensors(call[1]))


def smallest(calls: list[Call]) -> Call:
    """The call with the fewest elements, empty ones left out: those return before any work."""
    return min((call for call in calls if elements(call) > 0), key=elements)


def main() -> None:
    from mpsops import simulator

    calls = all_calls()
    empty = torch.ops.aten.empty.memory_format
    baseline = microseconds((empty, ([1],), {"device": "mps"}))
    print(f"baseline, aten::empty of one element: {baseline:.2f} us")
    with simulator.without_execution(), torch.no_grad():
        for row in mpsops.ops():
            if row.name in calls:
                print(f"{row.name}: {microseconds(smallest(calls[row.name])):.2f} us")


if __name__ == "__main__":
    main()
