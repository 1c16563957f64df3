"""Every access of a checked kernel lies in a bound buffer, threadgroup memory or the thread's own memory."""

import pytest
import torch
from exec_support import compile_kernels, fails, msl

SOURCE = """
constant float table[4] = {1, 2, 3, 4};
kernel void copy(device float* out, constant float* in, constant int& offset, uint i [[thread_position_in_grid]]) {
  out[i] = in[int(i) + offset];
}
kernel void scatter(device float* out, constant int& offset, uint i [[thread_position_in_grid]]) {
  out[int(i) + offset] = 1;
}
kernel void scatter_guard(device uint* out, uint i [[thread_position_in_grid]]) {
  out[64] = 0xa5a5a5a5;
}
kernel void write_constant(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  const_cast<device float*>(in)[i] = out[i];
}
struct Big { float a[12]; };
kernel void copy_struct(device Big* out, constant Big* in, constant int& offset, uint i [[thread_position_in_grid]]) {
  Big big = in[int(i) + offset];
  big.a[0] += 1;
  out[i] = big;
}
kernel void vectors(device float4* out, constant float4* in, constant int& offset, uint i [[thread_position_in_grid]]) {
  out[i] = in[int(i) + offset];
}
kernel void threadgroup_variable(device float* out, constant uint& index, uint i [[thread_position_in_threadgroup]]) {
  threadgroup float shared[32];
  threadgroup float other[32];
  shared[i] = i;
  other[i] = 0;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = shared[index] + other[i];
}
kernel void threadgroup_argument(device float* out, threadgroup float* shared [[threadgroup(0)]],
                                 constant uint& index, uint i [[thread_position_in_threadgroup]]) {
  shared[index + i] = i;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = shared[index + i];
}
kernel void own_memory(device float* out, constant uint& n, uint i [[thread_position_in_grid]]) {
  float values[16];
  for (uint k = 0; k < 16; ++k) values[k] = k * table[k % 4];
  out[i] = values[n] + table[n % 4];
}
kernel void atomic(device atomic_uint* out, constant uint& index, uint i [[thread_position_in_grid]]) {
  atomic_fetch_add_explicit(&out[index], 1, memory_order_relaxed);
}
kernel void loop(device float* out, constant float* in, constant uint& n, uint i [[thread_position_in_grid]]) {
  float sum = 0;
  for (uint k = 0; k < n; ++k) sum += in[k];
  out[i] = sum;
}
"""


@pytest.fixture(scope="module")
def kernels() -> msl.Library:
    return compile_kernels(SOURCE, "access.metal")


@pytest.fixture
def out() -> torch.Tensor:
    return torch.zeros(10, device="mps")


@pytest.fixture
def values() -> torch.Tensor:
    return torch.arange(10.0, device="mps")


def test_clean_kernels_pass(kernels: msl.Library, out: torch.Tensor, values: torch.Tensor) -> None:
    kernels["copy"](out, values, 0, threads=10)
    assert torch.equal(out, values)
    kernels["own_memory"](out, 5, threads=10)
    assert torch.equal(out.cpu(), torch.full((10,), 5 * 2.0 + 2))
    kernels["loop"](out, values, 10, threads=10)
    assert torch.equal(out.cpu(), torch.full((10,), 45.0))
    wide = torch.arange(40.0, device="mps").reshape(10, 4)
    result = torch.zeros_like(wide)
    kernels["vectors"](result, wide, 0, threads=10)
    assert torch.equal(result, wide)


def test_load_behind_the_end(kernels: msl.Library, out: torch.Tensor, values: torch.Tensor) -> None:
    message = (
        "out-of-bounds load of 4 bytes at element 10 (byte 40) of buffer 1 'in', "
        "which has 10 elements (40 bytes), at access.metal:4"
    )
    with fails(
        "kernel 'copy', thread (9, 0, 0) of the grid, thread (1, 0, 0) of threadgroup (2, 0, 0)", message
    ):
        kernels["copy"](out, values, 1, threads=10, group_size=4)


def test_load_before_the_start(kernels: msl.Library, out: torch.Tensor, values: torch.Tensor) -> None:
    with fails("thread (0, 0, 0) of the grid", "load of 4 bytes at element -2 (byte -8) of buffer 1 'in'"):
        kernels["copy"](out, values, -2, threads=10)


def test_store_behind_the_end(kernels: msl.Library, out: torch.Tensor) -> None:
    with fails("store of 4 bytes at element 10 (byte 40) of buffer 0 'out'"):
        kernels["scatter"](out, 3, threads=10)
    assert torch.equal(out.cpu(), torch.tensor([0.0] * 3 + [1.0] * 7))


def test_store_beside_a_view_in_its_storage(kernels: msl.Library, out: torch.Tensor) -> None:
    kernels["scatter"](out[2:6], 0, threads=4)
    with fails("store of 4 bytes at element 4 (byte 16) of buffer 0 'out', which has 4 elements"):
        kernels["scatter"](out[2:6], 1, threads=4)
    with fails("store of 4 bytes at element -1 (byte -4) of buffer 0 'out'"):
        kernels["scatter"](out[2:6], -1, threads=4)


def test_load_beside_a_view_in_its_storage_is_in_the_buffer(
    kernels: msl.Library, out: torch.Tensor, values: torch.Tensor
) -> None:
    kernels["copy"](out[:2], values[2:4], 5, threads=2)
    assert out[:2].tolist() == [7, 8]


def test_store_to_a_read_only_buffer(kernels: msl.Library, out: torch.Tensor, values: torch.Tensor) -> None:
    with fails("store of 4 bytes at byte 0 of buffer 1 'in', which is read-only"):
        kernels["write_constant"](out, values, threads=10)
    assert torch.equal(values.cpu(), torch.arange(10.0))


def test_struct_copies_are_checked(kernels: msl.Library) -> None:
    data = torch.zeros(4, 12, device="mps")
    kernels["copy_struct"](torch.zeros_like(data), data, 0, threads=4)
    with fails("at element 4 (byte 192) of buffer 1 'in'"):
        kernels["copy_struct"](torch.zeros_like(data), data, 1, threads=4)


def test_vector_accesses_are_checked(kernels: msl.Library) -> None:
    data = torch.zeros(4, 4, device="mps")
    with fails("load of 16 bytes at element 4 (byte 64) of buffer 1 'in'"):
        kernels["vectors"](torch.zeros_like(data), data, 1, threads=4)


def test_threadgroup_variable(kernels: msl.Library) -> None:
    out = torch.zeros(32, device="mps")
    kernels["threadgroup_variable"](out, 31, threadgroups=1, group_size=32)
    assert out.tolist() == [31] * 32
    with fails("out-of-bounds index 32 into an array 'float[32]', at access.metal:30"):
        kernels["threadgroup_variable"](out, 32, threadgroups=1, group_size=32)


def test_threadgroup_argument(kernels: msl.Library) -> None:
    out = torch.zeros(32, device="mps")
    kernel = kernels["threadgroup_argument"]
    kernel(out, msl.ThreadgroupMemory(128), 0, threadgroups=1, group_size=32)
    assert out.tolist() == list(range(32))
    with fails(
        "thread (31, 0, 0)",
        "store of 4 bytes at byte 128 of threadgroup variable 'shared'",
        "at access.metal:34",
    ):
        kernel(out, msl.ThreadgroupMemory(128), 1, threadgroups=1, group_size=32)


def test_atomics_are_checked(kernels: msl.Library) -> None:
    out = torch.zeros(2, dtype=torch.int32, device="mps")
    kernels["atomic"](out, 1, threads=100)
    assert out.tolist() == [0, 100]
    with fails("at element 2 (byte 8) of buffer 0 'out'"):
        kernels["atomic"](out, 2, threads=100)


def test_unbound_and_empty_buffers(kernels: msl.Library, out: torch.Tensor) -> None:
    with fails("buffer 1 'in' is empty or not bound"):
        kernels["loop"](out, None, 1, threads=1)
    kernels["loop"](out, None, 0, threads=1)
    kernels["loop"](out, torch.empty(0, device="mps"), 0, threads=1)


def test_loops_are_checked(kernels: msl.Library, out: torch.Tensor, values: torch.Tensor) -> None:
    with fails("of buffer 1 'in', which has 10 elements"):
        kernels["loop"](out, values, 11, threads=1)


def test_unchecked_library_has_no_checks() -> None:
    library = compile_kernels(SOURCE, "access.metal", checked=False)
    assert not library.checked
    out = torch.zeros(10, device="mps")
    library["scatter"](out[2:6], 1, threads=4)
    assert out.tolist() == [0] * 3 + [1] * 4 + [0] * 3


def test_guard_bytes_are_verified_after_every_dispatch() -> None:
    library = compile_kernels(SOURCE, "access.metal", checked=False)
    out = torch.zeros(64, device="mps")
    library["scatter"](out, 0, threads=64)
    with fails("out-of-bounds write: byte 0 behind an allocation of 256 bytes was overwritten"):
        library["scatter"](out, 1, threads=64)
    library["scatter_guard"](out, threads=1)  # so that freeing the tensor finds them intact
