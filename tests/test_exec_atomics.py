"""Atomics lose nothing, between the threads of a group and between groups on other OS threads."""

import pytest
import torch
from exec_support import compile_kernels, msl

SOURCE = """
kernel void add_int(device atomic_int* out, constant int* in, uint i [[thread_position_in_grid]]) {
  atomic_fetch_add_explicit(out + i % 7, in[i], memory_order_relaxed);
}
kernel void add_float(device atomic_float* out, constant float* in, uint i [[thread_position_in_grid]]) {
  atomic_fetch_add_explicit(out + i % 7, in[i], memory_order_relaxed);
}
kernel void every_operation(device atomic_uint* out, uint i [[thread_position_in_grid]]) {
  atomic_fetch_sub_explicit(out, 1u, memory_order_relaxed);
  atomic_fetch_min_explicit(out + 1, i, memory_order_relaxed);
  atomic_fetch_max_explicit(out + 2, i, memory_order_relaxed);
  atomic_fetch_or_explicit(out + 3, 1u << (i % 32), memory_order_relaxed);
  atomic_fetch_and_explicit(out + 4, ~(1u << (i % 16)), memory_order_relaxed);
  atomic_fetch_xor_explicit(out + 5, i, memory_order_relaxed);
}
kernel void signed_minimum(device atomic_int* out, constant int* in, uint i [[thread_position_in_grid]]) {
  atomic_fetch_min_explicit(out, in[i], memory_order_relaxed);
  atomic_fetch_max_explicit(out + 1, in[i], memory_order_relaxed);
}
kernel void compare_exchange(device atomic_uint* out, uint i [[thread_position_in_grid]]) {
  uint old = atomic_load_explicit(out, memory_order_relaxed);
  while (!atomic_compare_exchange_weak_explicit(out, &old, old + 2, memory_order_relaxed, memory_order_relaxed)) {
  }
}
kernel void exchange(device atomic_uint* slot, device uint* seen, uint i [[thread_position_in_grid]]) {
  seen[atomic_exchange_explicit(slot, i + 1, memory_order_relaxed)] += 1;
}
kernel void wide(device atomic_ulong* out, constant ulong* in, uint i [[thread_position_in_grid]]) {
  atomic_max_explicit(out, in[i], memory_order_relaxed);
  atomic_min_explicit(out + 1, in[i], memory_order_relaxed);
}
kernel void flag(device atomic_bool* out, uint i [[thread_position_in_grid]]) {
  if (i == 77) atomic_store_explicit(out, true, memory_order_relaxed);
}
kernel void in_threadgroup(device uint* out, uint i [[thread_position_in_threadgroup]],
                           uint g [[threadgroup_position_in_grid]]) {
  threadgroup atomic_uint counter;
  if (i == 0) atomic_store_explicit(&counter, 0, memory_order_relaxed);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  atomic_fetch_add_explicit(&counter, i, memory_order_relaxed);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (i == 0) out[g] = atomic_load_explicit(&counter, memory_order_relaxed);
}
"""
COUNT = 20000


@pytest.fixture(scope="module", params=[False, True], ids=["fast", "checked"])
def kernels(request: pytest.FixtureRequest) -> msl.Library:
    return compile_kernels(SOURCE, "atomics.metal", checked=request.param)


@pytest.mark.parametrize(("name", "dtype"), [("add_int", torch.int32), ("add_float", torch.float32)])
def test_add(kernels: msl.Library, name: str, dtype: torch.dtype) -> None:
    values = torch.randint(-50, 50, (COUNT,), dtype=dtype)
    out = torch.zeros(7, dtype=dtype, device="mps")
    kernels[name](out, values.to("mps"), threads=COUNT)
    wanted = torch.zeros(7, dtype=dtype).index_add(0, torch.arange(COUNT) % 7, values)
    assert torch.equal(out.cpu(), wanted)


def test_every_operation(kernels: msl.Library) -> None:
    out = torch.tensor([COUNT, 500, 500, 0, -1, 0], dtype=torch.int32, device="mps")
    kernels["every_operation"](out, threads=COUNT)
    exclusive = 0
    for i in range(COUNT):
        exclusive ^= i
    assert out.tolist() == [0, 0, COUNT - 1, -1, -65536, exclusive]


def test_minimum_and_maximum_are_signed(kernels: msl.Library) -> None:
    values = torch.randint(-1000, 1000, (COUNT,), dtype=torch.int32)
    out = torch.zeros(2, dtype=torch.int32, device="mps")
    kernels["signed_minimum"](out, values.to("mps"), threads=COUNT)
    assert out.tolist() == [values.min(), values.max()]


def test_compare_exchange(kernels: msl.Library) -> None:
    out = torch.zeros(1, dtype=torch.int32, device="mps")
    kernels["compare_exchange"](out, threads=COUNT)
    assert out.item() == 2 * COUNT


def test_exchange_hands_every_value_on_once(kernels: msl.Library) -> None:
    slot = torch.zeros(1, dtype=torch.int32, device="mps")
    seen = torch.zeros(COUNT + 1, dtype=torch.int32, device="mps")
    kernels["exchange"](slot, seen, threads=COUNT)
    seen[slot.item()] += 1
    assert torch.equal(seen.cpu(), torch.ones(COUNT + 1, dtype=torch.int32))


def test_wide(kernels: msl.Library) -> None:
    values = torch.randint(0, 2**62, (1000,))
    out = torch.tensor([0, 2**62], device="mps")
    kernels["wide"](out, values.to("mps"), threads=1000)
    assert out.tolist() == [values.max(), values.min()]


def test_flag(kernels: msl.Library) -> None:
    out = torch.zeros(1, dtype=torch.int32, device="mps")
    kernels["flag"](out, threads=77)
    assert out.item() == 0
    kernels["flag"](out, threads=78)
    assert out.item() == 1


def test_in_threadgroup_memory(kernels: msl.Library) -> None:
    out = torch.zeros(30, dtype=torch.int32, device="mps")
    kernels["in_threadgroup"](out, threadgroups=30, group_size=100)
    assert out.tolist() == [4950] * 30


@pytest.mark.parametrize(
    "statement",
    [
        "atomic_fetch_min_explicit((device atomic_float*)out, 1.0f, memory_order_relaxed);",
        "atomic_fetch_add_explicit((device atomic_ulong*)out, 1ul, memory_order_relaxed);",
        "atomic_fetch_add_explicit((device atomic<long>*)out, 1l, memory_order_relaxed);",
        "atomic_fetch_add_explicit((device atomic_uint*)out, 1u, memory_order_seq_cst);",
    ],
)
def test_what_metal_does_not_have(statement: str) -> None:
    with pytest.raises(msl.CompileError, match=r"no.metal:1:\d+: error: "):
        compile_kernels(f"kernel void f(device uint* out) {{ {statement} }}", "no.metal")
