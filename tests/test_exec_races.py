"""The race detector: accesses of two threads that nothing orders, each kind with a twin that is ordered."""

import pytest
import torch
from exec_support import SCHEDULES, compile_kernels, fails, msl, schedule

from mpsops import _C
from mpsops.simulator import checked

SOURCE = """
#define ARGUMENTS (device float* out, constant int& bug, uint i [[thread_position_in_threadgroup]], \\
                   uint g [[threadgroup_position_in_grid]], uint at [[thread_position_in_grid]])
kernel void missing_barrier ARGUMENTS {
  threadgroup float shared[64];
  shared[i] = 0, threadgroup_barrier(mem_flags::mem_threadgroup), shared[i] = i;
  if (!bug) threadgroup_barrier(mem_flags::mem_threadgroup);
  out[at] = shared[i ^ 1];
}
kernel void reused_too_early ARGUMENTS {
  threadgroup float shared[64];
  float sum = 0;
  for (int round = 0; round < 2; ++round) {
    shared[i] = round;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    sum += shared[i ^ 33];
    if (!bug) threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  out[at] = sum;
}
kernel void wrong_memory_flags ARGUMENTS {
  out[at] = i;
  if (bug) {
    threadgroup_barrier(mem_flags::mem_threadgroup);
  } else {
    threadgroup_barrier(mem_flags::mem_device);
  }
  float other = out[at ^ 1];
  threadgroup_barrier(mem_flags::mem_device);
  out[at] = other;
}
kernel void barrier_of_the_simdgroup_alone ARGUMENTS {
  threadgroup float shared[64];
  shared[i] = 0, threadgroup_barrier(mem_flags::mem_threadgroup), shared[i] = i;
  simdgroup_barrier(mem_flags::mem_threadgroup);
  out[at] = shared[bug ? 63 - i : i ^ 31];
}
kernel void sums_are_no_barrier ARGUMENTS {
  threadgroup float shared[64];
  shared[i] = i;
  float sum = simd_sum(float(i));
  if (!bug) simdgroup_barrier(mem_flags::mem_threadgroup);
  out[at] = shared[i ^ 3] + sum;
}
kernel void both_groups_store ARGUMENTS {
  out[bug ? i : at] = g;
}
kernel void one_group_reads_the_other ARGUMENTS {
  float value = out[bug ? at ^ 64 : at];
  out[at] = value + 1;
}
kernel void atomic_and_plain(device uint* out, constant int& bug, uint i [[thread_position_in_threadgroup]]) {
  device atomic_uint* count = reinterpret_cast<device atomic_uint*>(out);
  atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
  if (bug && i == 9) out[0] = 0;
}
kernel void histogram(device atomic_uint* out, constant int& bug, uint i [[thread_position_in_threadgroup]],
                      uint g [[threadgroup_position_in_grid]]) {
  threadgroup atomic_uint bins[8];
  if (i < 8) atomic_store_explicit(&bins[i], 0, memory_order_relaxed);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  atomic_fetch_add_explicit(&bins[i % 8], 1, memory_order_relaxed);
  if (!bug) threadgroup_barrier(mem_flags::mem_threadgroup);
  if (i < 8) {
    uint count = *reinterpret_cast<threadgroup uint*>(&bins[i]);
    atomic_fetch_add_explicit(&out[i], count, memory_order_relaxed);
  }
}
kernel void neighbouring_bytes(device uchar* out, constant int& bug, uint at [[thread_position_in_grid]]) {
  out[bug ? at / 2 : at] = uchar(at);
}
kernel void tail_of_a_vector ARGUMENTS {
  if (i == 0) *reinterpret_cast<device float4*>(out + g * 64) = float4(g);
  if (i == 5) out[g * 64 + (bug ? 3 : 4)] = 1;
}
kernel void one_flag(device int* out, constant int& bug, uint at [[thread_position_in_grid]]) {
  out[0] = bug ? int(at) : 7;
}
kernel void many_readers_one_writer ARGUMENTS {
  threadgroup float shared;
  if (i == 3) shared = g;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  float value = shared;
  if (!bug) threadgroup_barrier(mem_flags::mem_threadgroup);
  if (i == 63) shared = value + 1;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[at] = shared;
}
kernel void in_its_own_place ARGUMENTS {
  for (int k = 0; k < 3; ++k) out[at] += float(k + bug);
}
"""

SAME_GROUP = "of the same threadgroup, at races.metal:"
OTHER_GROUP = "nothing orders the threadgroups of a dispatch"
BUGS = {
    "missing_barrier": (
        "thread (1, 0, 0) of threadgroup (0, 0, 0): data race: store of 4 bytes at byte 4 of threadgroup variable "
        "'shared', at races.metal:6, after a load by thread (0, 0, 0) of the same threadgroup, at races.metal:8: "
        "no threadgroup_barrier lies between them",
    ),
    "reused_too_early": ("data race: load of 4 bytes", "races.metal:16, after a store", f"{SAME_GROUP}14"),
    "wrong_memory_flags": (
        "data race: load of 4 bytes at element 1 (byte 4 of buffer 0 'out'), at races.metal:28, after a store by "
        "thread (1, 0, 0) of the same threadgroup, at races.metal:22: the barrier between them does not order "
        "device memory: it needs mem_flags::mem_device",
    ),
    "barrier_of_the_simdgroup_alone": ("data race: store", "races.metal:34, after a load", f"{SAME_GROUP}36"),
    "sums_are_no_barrier": ("data race: load", "races.metal:43, after a store", f"{SAME_GROUP}40"),
    "both_groups_store": (
        "thread (0, 0, 0) of threadgroup (1, 0, 0): data race: store of 4 bytes at element 0 (byte 0 of buffer 0 "
        "'out'), at races.metal:46, after a store by thread (0, 0, 0) of threadgroup (0, 0, 0), at races.metal:46: "
        + OTHER_GROUP,
    ),
    "one_group_reads_the_other": ("data race: load", "at races.metal:49, after a store by", OTHER_GROUP),
    "atomic_and_plain": (
        "data race: store of 4 bytes at element 0",
        "at races.metal:55, after an atomic store by thread (8, 0, 0) of the same threadgroup, at races.metal:54",
    ),
    "histogram": (
        "data race: atomic store of 4 bytes at byte 0 of threadgroup variable 'bins', at races.metal:62, "
        "after a load",
        f"{SAME_GROUP}65",
    ),
    "neighbouring_bytes": ("data race: store of 1 bytes at element 0 (byte 0 of buffer 0 'out'), at races.metal:70",),
    "tail_of_a_vector": (
        "data race: store of 4 bytes at element 3",
        "at races.metal:74, after a store by thread (0, 0, 0)",
    ),
    "one_flag": ("data race: store of 4 bytes at element 0", "at races.metal:77"),
    "many_readers_one_writer": ("data race: store of 4 bytes", "at races.metal:85, after a load", f"{SAME_GROUP}83"),
}  # fmt: skip


@pytest.fixture(scope="module")
def kernels() -> msl.Library:
    return compile_kernels(SOURCE, "races.metal")


def run(kernels: msl.Library, name: str, bug: int, races: bool | str = True) -> torch.Tensor:
    integers = name in ("atomic_and_plain", "histogram", "one_flag")
    out = torch.zeros(128, dtype=torch.int32 if integers else torch.float32, device="mps")
    groups = 1 if name == "atomic_and_plain" else 2
    with checked(races=races):
        kernels[name](out, bug, threadgroups=groups, group_size=64)
    return out


@pytest.mark.parametrize("name", BUGS)
def test_planted_race_is_reported(kernels: msl.Library, name: str) -> None:
    with fails(f"kernel '{name}', thread (", *BUGS[name]):
        run(kernels, name, bug=1)


@pytest.mark.parametrize("order", SCHEDULES[1:])
@pytest.mark.parametrize("name", BUGS)
def test_planted_race_is_reported_in_any_order(kernels: msl.Library, name: str, order: str) -> None:
    with schedule(order), fails(f"kernel '{name}'", "data race: ", "races.metal:"):
        run(kernels, name, bug=1)


@pytest.mark.parametrize("order", SCHEDULES)
@pytest.mark.parametrize("name", [*(name for name in BUGS if name != "one_flag"), "in_its_own_place"])
def test_clean_twin_runs(kernels: msl.Library, name: str, order: str) -> None:
    with schedule(order):
        run(kernels, name, bug=0)


def test_dispatches_are_ordered(kernels: msl.Library) -> None:
    out = torch.zeros(128, device="mps")
    with checked(races=True):
        for _ in range(3):
            kernels["in_its_own_place"](out, 0, threadgroups=2, group_size=64)
            kernels["in_its_own_place"](out, 0, threadgroups=4, group_size=32)


def test_stores_of_equal_values(kernels: msl.Library) -> None:
    with fails("kernel 'one_flag'", "data race: store"):
        run(kernels, "one_flag", bug=0)
    assert run(kernels, "one_flag", bug=0, races="unequal")[0] == 7
    with fails("kernel 'one_flag'", "data race: store", "at races.metal:77"):
        run(kernels, "one_flag", bug=1, races="unequal")


def test_off_by_default(kernels: msl.Library) -> None:
    for name in BUGS:
        run(kernels, name, bug=1, races=False)


def test_setting() -> None:
    assert _C.simulator_races() == "0"
    with checked(races="unequal"):
        assert _C.simulator_races() == "unequal"
        assert _C.simulator_checked()
        with checked(False):
            assert _C.simulator_races() == "0"
            assert not _C.simulator_checked()
        assert _C.simulator_races() == "unequal"
    with pytest.raises(ValueError, match="races must be 0, 1 or unequal, got yes"):
        _C.simulator_set_races("yes")
    with pytest.raises(ValueError, match="races must be False where on is False"), checked(False, races=True):
        pass
