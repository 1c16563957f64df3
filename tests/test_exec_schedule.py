"""The order in which threads run can be chosen, and shows bugs that one order hides."""

from collections.abc import Callable, Iterator

import pytest
import torch
from exec_support import SCHEDULES, compile_kernels, fails, msl, schedule

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
kernel void once(device atomic_int* times, uint i [[thread_position_in_grid]]) {
  atomic_fetch_add_explicit(times + i, 1, memory_order_relaxed);
}
kernel void once_on_fibers(device atomic_int* times, uint i [[thread_position_in_grid]]) {
  atomic_fetch_add_explicit(times + i, 1, memory_order_relaxed);
  threadgroup_barrier(mem_flags::mem_none);
}
kernel void wrong_in_one(device int* out, uint i [[thread_position_in_grid]], uint n [[threads_per_grid]]) {
  if (i < n - 64) threadgroup_barrier(mem_flags::mem_none);
  out[i] = 1;
  if (i == n - 1) threadgroup_barrier(mem_flags::mem_none);
}
"""


@pytest.fixture(scope="module")
def kernels() -> msl.Library:
    return compile_kernels(SOURCE, "schedule.metal")


@pytest.fixture
def on_threads() -> Iterator[Callable[[int], None]]:
    threads = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(threads)


@pytest.mark.parametrize("order", SCHEDULES)
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dispatch", [("once", 32), ("once", 1024), ("once_on_fibers", 32)])
def test_each_group_runs_once(
    kernels: msl.Library,
    on_threads: Callable[[int], None],
    dispatch: tuple[str, int],
    threads: int,
    order: str,
) -> None:
    name, size = dispatch
    on_threads(threads)
    for groups in (1, 7, 100):
        times = torch.zeros(groups * size - 5, dtype=torch.int32, device="mps")
        with schedule(order):
            kernels[name](times, threads=len(times), group_size=size)
        assert torch.equal(times.cpu(), torch.ones(len(times), dtype=torch.int32))


def test_an_error_in_the_last_group(kernels: msl.Library, on_threads: Callable[[int], None]) -> None:
    on_threads(2)
    out = torch.zeros(64 * 100, dtype=torch.int32, device="mps")
    with fails("wrong_in_one", "threadgroup (99, 0, 0)", "threads 63 wait there, threads 0-62 have returned"):
        kernels["wrong_in_one"](out, threads=len(out), group_size=64)


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
