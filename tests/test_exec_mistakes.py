"""Mistakes of single threads that checked kernels name, with the line: each has a twin without it."""

import pytest
import torch
from exec_support import HEADER, compile_kernels, fails, msl

SOURCE = """
inline float first_of(device const float* values, int i) {
  return values[i];
}
kernel void in_a_function(device float* out, device const float* in, constant int& bug,
                          uint i [[thread_position_in_grid]]) {
  out[i] = first_of(in, int(i) + bug);
}
kernel void behind_the_library(device atomic_uint* out, constant int& bug, uint i [[thread_position_in_grid]]) {
  if (i == 3)
    atomic_fetch_add_explicit(&out[i + bug * 1000],
                              1, memory_order_relaxed);
}
kernel void own_array(device float* out, constant int& bug, uint i [[thread_position_in_grid]]) {
  float values[4] = {1, 2, 3, 4};
  out[i] = values[int(i % 4) - bug * 6];
}
constant float table[3] = {5, 6, 7};
kernel void constant_array(device float* out, constant int& bug, uint i [[thread_position_in_grid]]) {
  out[i] = table[i % 3 + bug];
}
kernel void component(device float* out, constant int& bug, uint i [[thread_position_in_grid]]) {
  float4 value = float4(1, 2, 3, 4);
  out[i] = value[i % 4 + bug * 5];
}
kernel void vector_of_floats(device float* out, device const float* in, constant int& bug,
                             uint i [[thread_position_in_grid]]) {
  device const float4* vectors = reinterpret_cast<device const float4*>(in + bug);
  out[i] = dot(vectors[0], vectors[0]);
}
kernel void three_of_floats(device float* out, device const float* in, constant int& bug,
                            uint i [[thread_position_in_grid]]) {
  out[i] = dot(*reinterpret_cast<device const float3*>(in + bug), float3(1, 1, 1));
}
kernel void packed_vectors(device float* out, device const packed_float3* in, constant int& bug,
                           uint i [[thread_position_in_grid]]) {
  float3 value = in[1];
  out[i] = value.x + value.y + value.z;
}
kernel void half_of_a_word(device uchar* out, constant int& bug, uint i [[thread_position_in_grid]]) {
  *reinterpret_cast<device half*>(out + bug) = half(1);
}
kernel void misaligned_in_a_group(device float* out, constant int& bug, uint i [[thread_position_in_grid]]) {
  threadgroup uchar bytes[64];
  if (i == 0) *reinterpret_cast<threadgroup uint*>(&bytes[4 + bug]) = 7;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = bytes[4 + bug];
}
kernel void quotient(device int* out, constant int& bug, uint i [[thread_position_in_grid]]) {
  int divisor = int(i) - 2;
  if (!bug && divisor == 0) divisor = 1;
  out[i] = 12 / divisor;
}
kernel void remainder_of_smallest(device int* out, constant int& bug, uint i [[thread_position_in_grid]]) {
  int divisor = bug ? -1 : 3;
  out[i] = (int(i) + INT_MIN) % divisor;
}
kernel void of_vectors(device int* out, constant int& bug, uint i [[thread_position_in_grid]]) {
  int4 quotient = int4(6) / (int4(i, 1, 2, 3) + 1 - bug);
  out[i] = quotient.x + quotient.y + quotient.z + quotient.w;
}
"""

BUGS = {
    "in_a_function": "out-of-bounds load of 4 bytes at element 8 (byte 32) of buffer 1 'in', "
    "which has 8 elements (32 bytes), at mistakes.metal:3 (called from mistakes.metal:7)",
    "behind_the_library": "out-of-bounds store of 4 bytes at element 1003 (byte 4012) of buffer 0 'out', "
    "which has 8 elements (32 bytes), at mistakes.metal:11",
    "own_array": "out-of-bounds index -6 into an array 'float[4]', at mistakes.metal:16",
    "constant_array": "out-of-bounds index 3 into an array 'const float[3]', at mistakes.metal:20",
    "component": "out-of-bounds index 5 into an array 'float[4]', at mistakes.metal:24",
    "vector_of_floats": "misaligned load of 16 bytes at element 1 (byte 4 of buffer 1 'in'), at "
    "mistakes.metal:29: the address must be a multiple of 16, it is 4 above one",
    "three_of_floats": "misaligned load of 16 bytes at element 1 (byte 4 of buffer 1 'in'), at mistakes.metal:33",
    "half_of_a_word": "misaligned store of 2 bytes at element 1 (byte 1 of buffer 0 'out'), at mistakes.metal:41",
    "misaligned_in_a_group": "misaligned store of 4 bytes at byte 5 of threadgroup variable 'bytes', "
    "at mistakes.metal:45",
    "quotient": "integer division by zero, at mistakes.metal:52",
    "remainder_of_smallest": "integer division by zero, or of the smallest value by -1, at mistakes.metal:56",
    "of_vectors": "integer division by zero, or of the smallest value by -1, at mistakes.metal:59",
}


@pytest.fixture(scope="module")
def kernels() -> msl.Library:
    return compile_kernels(SOURCE, "mistakes.metal")


def run(kernels: msl.Library, name: str, bug: int) -> None:
    buffers = [p for p in kernels[name].parameters if p["kind"] == "buffer"]
    integers = name in ("quotient", "remainder_of_smallest", "of_vectors", "behind_the_library")
    out = torch.zeros(8, dtype=torch.int32 if integers else torch.float32, device="mps")
    inputs = [torch.ones(8, device="mps")] * (len(buffers) - 2)
    kernels[name](out, *inputs, bug, threads=8, group_size=8)


@pytest.mark.parametrize("name", BUGS)
def test_planted_bug_is_reported_with_its_line(kernels: msl.Library, name: str) -> None:
    with fails(f"kernel '{name}', thread (", "of threadgroup (0, 0, 0): ", BUGS[name]):
        run(kernels, name, bug=1)


@pytest.mark.parametrize("name", [*BUGS, "packed_vectors"])
def test_clean_twin_runs(kernels: msl.Library, name: str) -> None:
    run(kernels, name, bug=0)


def test_lines_of_a_header(tmp_path) -> None:
    (tmp_path / "at.h").write_text("inline float at(device const float* p, int i) {\n\n  return p[i];\n}\n")
    source = f'{HEADER}#include "at.h"\n' + (
        "kernel void f(device float* out, uint i [[thread_position_in_grid]]) { out[i] = at(out, i + 1); }\n"
    )
    library = msl.compile(source, name="user.metal", checked=True, include=[tmp_path])
    with fails("/at.h:3 (called from user.metal:4)"):
        library["f"](torch.zeros(8, device="mps"), threads=8)
