"""Metal as other programs write it: translators from SPIR-V and WGSL, headers shared with a host."""

from pathlib import Path

import pytest
import torch
from exec_support import HEADER, compile_kernels, msl

from mpsops.msl.strict import check_file

SOURCE = """
#include <simd/simd.h>

kernel void nothing() {}

// Members that differ in the address space of the object, and of what they return.
template <typename T, size_t Count>
struct Row {
  T elements[Count ? Count : 1];
  thread T& operator[](size_t i) thread { return elements[i]; }
  constexpr const thread T& operator[](size_t i) const thread { return elements[i]; }
  device T& operator[](size_t i) device { return elements[i]; }
  constexpr const device T& operator[](size_t i) const device { return elements[i]; }
  constexpr const constant T& operator[](size_t i) const constant { return elements[i]; }
  threadgroup T& operator[](size_t i) threadgroup { return elements[i]; }
  constexpr const threadgroup T& operator[](size_t i) const threadgroup { return elements[i]; }
};
constant Row<float, 2> table = {{10.0, 20.0}};
kernel void rows(device Row<float, 2>& out, constant Row<float, 2>& in) {
  Row<float, 2> copy = in;
  copy[0] += table[1];
  out[0] = copy[0] + in[1];
  out[1] = table[0];
}

// A constructor whose members are initialised by casts to const.
struct Reader {
  Reader(const device float* p) : values(p) {}
  Reader(const device void* p) : Reader(static_cast<const device float*>(p)) {}
  const device float* values;
};
kernel void reads(device const void* in, device float* out) { out[0] = Reader(in).values[1]; }

struct Block {
  float4 value;
  uint2 counts;
};
kernel void volatiles(volatile device Block& b [[user(fake0)]], device float* out [[buffer(1), access(write)]]) {
  b.value = float4(20.0, 1.0, 2.0, 3.0);
  const float4 copy = b.value;
  b.value.x = 5.0;
  b.counts = uint2(b.value.x, b.value.y);
  out[0] = copy.x + b.value.x + (b.value * 2.0).w;
  out[1] = dot(b.value, copy);
}

kernel void shifts(device int4& out) {
  const int2 left = int2(3, -1) << uint2(2u, 1u);
  const int2 right = int2(-8, 40) >> uint2(1u, 3u);
  out = int4(left, right);
}

template <uint N>
vec<bool, N> opposite(vec<bool, N> v) { return !v; }
template <typename T, size_t N>
T total(vec<T, N> v) {
  T sum = 0;
  for (size_t i = 0; i < N; ++i) sum += v[i];
  return sum;
}
template <uint N>
uint times(uint x) { return N * x; }
kernel void sizes(device float* out) {
  out[0] = opposite(bool3(true, false, true)).y;
  out[1] = total(float4(1.0, 2.0, 3.0, 4.0)) + total(float2(0.5, 0.25));
  out[2] = times<4294967295u>(1u) == 4294967295u;
}

struct Columns {
  float2 values[2];
  thread Columns& operator=(initializer_list<float2> list) thread {
    int i = 0;
    for (const float2 value : list) values[i++] = value;
    return *this;
  }
};
kernel void lists(device float4& out) {
  Columns columns;
  columns = {float2(1.0, 2.0), float2(3.0, 4.0)};
  out = float4(columns.values[0], columns.values[1]);
}

kernel void names_of_simd(device float* out, constant simd_float4& a, constant vector_float2& b,
                          constant matrix_float2x2& m) {
  const simd::float3 c = a.xyz;
  out[0] = c.z + (m * b).x + float(sizeof(simd_float3)) + float(sizeof(simd_uint2)) + simd_half4x4(1.0h)[3][3];
}

const uint thread_of_grid [[thread_position_in_grid]];
uint2 group_of_grid [[threadgroup_position_in_grid]];
kernel void inputs(device uint* out) { out[thread_of_grid] = 10 * group_of_grid.x + thread_of_grid; }

kernel void indirect(device MTLDispatchThreadgroupsIndirectArguments* groups,
                     device MTLDispatchThreadsIndirectArguments& threads,
                     device MTLStageInRegionIndirectArguments& region,
                     device MTLDrawPrimitivesIndirectArguments& draw,
                     device MTLDrawIndexedPrimitivesIndirectArguments& indexed,
                     device MTLDrawPatchIndirectArguments& patch) {
  groups[1] = {7, 1, 1};
  threads.threadsPerThreadgroup[2] = 8;
  region.stageInSize[2] = 9;
  draw.baseInstance = 10;
  indexed.baseVertex = -11;
  patch.baseInstance = 12;
}
"""

DEDUCED = """
#include <simd/simd.h>
template <typename T, int N>
struct Tile {
  T values[N];
};
template <typename T, int N>
[[kernel, max_total_threads_per_threadgroup(N * 32)]] void scaled(
    const device T* in [[buffer(0)]], device T* out [[buffer(1)]], const constant Tile<int, N>* scales [[buffer(2)]],
    uint i [[thread_position_in_threadgroup]]) {
  threadgroup T shared[N];
  shared[i] = in[i];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = shared[N - 1 - i] * T(scales->values[i]);
}
#define SCALED(name, T, n)                                                                     \\
  template [[host_name("scaled_" #name #n)]] [[kernel]] void scaled(                           \\
      const device T* in [[buffer(0)]], device T* out [[buffer(1)]], const constant Tile<int, n>* scales [[buffer(2)]], \\
      uint i [[thread_position_in_threadgroup]]);
SCALED(float, float, 2)
SCALED(half, half, 3)
"""


@pytest.fixture(scope="module")
def library() -> msl.Library:
    return compile_kernels(SOURCE + DEDUCED, "generated.metal")


def floats(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32, device="mps")


def integers(count: int) -> torch.Tensor:
    return torch.zeros(count, dtype=torch.int32, device="mps")


def test_a_kernel_without_parameters(library: msl.Library) -> None:
    library["nothing"](threads=4)
    assert library["nothing"].parameters == []


def test_members_that_return_references_to_their_address_space(library: msl.Library) -> None:
    out = floats(0, 0)
    library["rows"](out, floats(1, 2), threads=1)
    assert out.tolist() == [23.0, 10.0]


def test_constructors_keep_the_const_of_what_they_pass_on(library: msl.Library) -> None:
    out = floats(0)
    library["reads"](floats(3, 4), out, threads=1)
    assert out.item() == 4.0


def test_volatile_vectors_and_attributes_that_bind_nothing(library: msl.Library) -> None:
    block, out = torch.zeros(8, device="mps"), floats(0, 0)
    library["volatiles"](block, out, threads=1)
    assert block[:4].tolist() == [5.0, 1.0, 2.0, 3.0]
    assert block[4:6].view(torch.int32).tolist() == [5, 1]
    assert out.tolist() == [20 + 5 + 6, 100 + 1 + 4 + 9]


def test_shifts_by_vectors_of_other_integers(library: msl.Library) -> None:
    out = integers(4)
    library["shifts"](out, threads=1)
    assert out.tolist() == [12, -2, -4, 5]


def test_sizes_of_vectors_are_deduced_as_any_integer(library: msl.Library) -> None:
    out = floats(0, 0, 0)
    library["sizes"](out, threads=1)
    assert out.tolist() == [1.0, 10.75, 1.0]


def test_lists_in_braces_as_arguments(library: msl.Library) -> None:
    out = floats(0, 0, 0, 0)
    library["lists"](out, threads=1)
    assert out.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_names_of_the_simd_library(library: msl.Library) -> None:
    out = floats(0)
    library["names_of_simd"](out, floats(1, 2, 3, 4), floats(5, 6), floats(1, 2, 3, 4), threads=1)
    assert out.item() == 3 + (1 * 5 + 3 * 6) + 16 + 8 + 1


def test_inputs_at_program_scope(library: msl.Library) -> None:
    out = integers(4)
    library["inputs"](out, threads=4, group_size=2)
    assert out.tolist() == [0, 1, 12, 13]


def test_functions_cannot_use_inputs_at_program_scope() -> None:
    source = "uint i [[thread_position_in_grid]];\nuint next() { return i + 1; }\nkernel void k(device uint* o) { o[i] = next(); }"
    with pytest.raises(
        RuntimeError, match=r"scope.metal:2: error: 'next' uses 'i', an input at program scope"
    ):
        compile_kernels(source, "scope.metal")


def test_arguments_of_indirect_dispatches(library: msl.Library) -> None:
    arguments = [integers(count) for count in (6, 6, 6, 4, 5, 4)]
    library["indirect"](*arguments, threads=1)
    groups, threads, region, draw, indexed, patch = (each.tolist() for each in arguments)
    assert groups == [0, 0, 0, 7, 1, 1]
    assert (threads[5], region[5], draw[3], indexed[3], patch[3]) == (8, 9, 10, -11, 12)


@pytest.mark.parametrize(("name", "size", "dtype"), [("float", 2, torch.float32), ("half", 3, torch.half)])
def test_instantiations_whose_arguments_are_deduced(
    library: msl.Library, name: str, size: int, dtype: torch.dtype
) -> None:
    kernel = library[f"scaled_{name}{size}"]
    assert kernel.max_total_threads_per_threadgroup == 32 * size
    assert kernel.static_threadgroup_memory_length == size * dtype.itemsize
    values = torch.arange(1, size + 1, dtype=dtype, device="mps")
    out = torch.zeros_like(values)
    scales = torch.arange(1, size + 1, dtype=torch.int32, device="mps")
    kernel(values, out, scales, threads=size, group_size=size)
    assert torch.equal(out, values.flip(0) * scales.to(dtype))


def test_vectors_at_any_multiple_of_the_element_load_where_nothing_is_checked() -> None:
    source = (
        "kernel void k(device const float* in, device float4& out) { out = *(device const float4*)(in + 1); }"
    )
    out = floats(0, 0, 0, 0)
    compile_kernels(source, "unaligned.metal", checked=False)["k"](floats(1, 2, 3, 4, 5), out, threads=1)
    assert out.tolist() == [2.0, 3.0, 4.0, 5.0]


def test_the_strict_check_takes_deduced_instantiations(tmp_path: Path) -> None:
    path = tmp_path / "deduced.metal"
    path.write_text(HEADER + DEDUCED)
    assert check_file(path) == []
    path.write_text(HEADER + DEDUCED.replace("device T* out [[buffer(1)]]", "thread T* out [[buffer(1)]]"))
    assert check_file(path) != []


@pytest.mark.parametrize(
    "source",
    [
        "kernel void k(metal::texture2d<float, metal::access::sample> image [[user(fake0)]]) {}",
        "struct Arguments { texture2d<float, access::write> image [[id(0)]]; };\n"
        "kernel void k(constant Arguments& a [[buffer(0)]]) {}",
    ],
)
def test_textures_without_an_index_and_in_argument_buffers(source: str) -> None:
    with pytest.raises(
        RuntimeError, match=r"texture.metal:1(:\d+)?: error: .*texture.* out of scope of the simulator"
    ):
        compile_kernels(source, "texture.metal")
