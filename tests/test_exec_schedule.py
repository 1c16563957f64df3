"""The order in which threads run can be chosen, and shows bugs that one order hides."""

import pytest
import torch
from exec_support import SCHEDULES, compile_kernels, msl, schedule

from mpsops import _C

SOURCE = """
kernel void missing_barrier(device int* out, uint i [[thread_position_in_threadgroup]]) {
  threadgroup int a[64];
  a[i] = i;
  simdgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = a[63 - i];
}
kernel void with_barrier(device int* out, uint i [[thread_position_in_threadgroup]]) {
  threadgroup int a[64];
  a[i] = i;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = a[63 - i];
}
kernel void order_of_threads(device atomic_int* next, device int* out, uint i [[thread_position_in_grid]]) {
  out[atomic_fetch_add_explicit(next, 1, memory_order_relaxed)] = i;
}
kernel void order_on_fibers(device atomic_int* next, device int* out, uint i [[thread_position_in_grid]]) {
  out[atomic_fetch_add_explicit(next, 1, memory_order_relaxed)] = i;
  threadgroup_barrier(mem_flags::mem_none);
}
"""


@pytest.fixture(scope="module")
def kernels() -> msl.Library:
    return compile_kernels(SOURCE, "schedule.metal")


def order_of(kernels: msl.Library, name: str, order: str) -> list[int]:
    out = torch.zeros(96, dtype=torch.int32, device="mps")
    with schedule(order):
        kernels[name](torch.zeros(1, dtype=torch.int32, device="mps"), out, threads=96, group_size=96)
    return out.tolist()


@pytest.mark.parametrize("name", ["order_of_threads", "order_on_fibers"])
def test_orders(kernels: msl.Library, name: str) -> None:
    assert order_of(kernels, name, "forward") == list(range(96))
    assert order_of(kernels, name, "reverse") == list(range(95, -1, -1))
    first = order_of(kernels, name, "random:1")
    assert sorted(first) == list(range(96))
    assert first != sorted(first)
    assert order_of(kernels, name, "random:1") == first
    assert order_of(kernels, name, "random:2") != first


def test_a_missing_barrier_shows() -> None:
    kernels = compile_kernels(SOURCE, "schedule.metal", checked=False)
    wanted = list(range(63, -1, -1))
    wrong = 0
    for order in SCHEDULES:
        with schedule(order):
            out = torch.zeros(64, dtype=torch.int32, device="mps")
            kernels["with_barrier"](out, threadgroups=1, group_size=64)
            assert out.tolist() == wanted
            kernels["missing_barrier"](out, threadgroups=1, group_size=64)
            wrong += out.tolist() != wanted
    assert wrong == len(SCHEDULES)


def test_setting() -> None:
    with schedule("random:123"):
        assert _C.simulator_schedule() == "random:123"
    with schedule("reverse"):
        assert _C.simulator_schedule() == "reverse"
    for bad in ("", "sideways", "random:", "random:x", "random:1x"):
        with pytest.raises(ValueError, match="schedule must be forward, reverse or random"):
            _C.simulator_set_schedule(bad)


def test_counts(kernels: msl.Library) -> None:
    _C.simulator_reset_counts()
    for _ in range(3):
        kernels["with_barrier"](
            torch.zeros(64, dtype=torch.int32, device="mps"), threadgroups=1, group_size=64
        )
    assert _C.simulator_dispatches() == 3
