"""What Metal takes and C++ does not, in sources that nobody here wrote."""

from pathlib import Path

import pytest
import torch
from exec_support import compile_kernels, msl

SOURCE = """
#define MANY(x) (x)
// Overloads and members that differ in their address space alone.
template <typename T>
struct pair_t {
  T a;
  T b;
  constexpr pair_t() thread : a(0), b(0) {}
  constexpr pair_t() threadgroup : a(0), b(0) {}
  constexpr pair_t(T x) thread : a(x), b(x) {}
  constexpr pair_t(T x) device : a(x), b(x) {}
  constexpr pair_t(T x) constant : a(x), b(x) {}
  T sum() const thread { return a + b; }
  T sum() const device { return a + b; }
  T sum() const constant { return a + b; }
  operator T() const thread;
};
template <typename T>
thread pair_t<T>& operator+=(thread pair_t<T>& p, T x) { p.a += x; return p; }
template <typename T>
device pair_t<T>& operator+=(device pair_t<T>& p, T x) { p.a += x; return p; }
inline float first(const device float* values) { return values[0]; }
inline float first(device const float* data) { return data[0]; }
inline float first(const threadgroup float* values) { return values[0]; }
template <typename T> struct pointee {};
template <typename T> struct pointee<device T*> { typedef T type; };
template <typename T> struct pointee<thread T*> { typedef T type; };
template <typename T> struct pointee<threadgroup T*> { typedef T type; };

kernel void members(device pair_t<float>* out, constant pair_t<float>& in, device float* more) {
  pair_t<float> local(2.0f);
  local += 3.0f;
  out[0] += 10.0f;
  pointee<device float*>::type sum = local.sum() + out[0].sum() + in.sum();
  threadgroup float shared[1];
  shared[0] = 100;
  more[0] = sum + first(shared) + first(more + 1);
}

// What has the same types is not the same function when const, or a parameter, differs.
inline int which(constant int& x) { return 1 + 0 * x; }
inline int which(device int& x) { return 2 + 0 * x; }
inline int which(device int* x) { return 3 + 0 * *x; }
kernel void overloads(device int* out, constant int& in) {
  out[0] = which(in);
  out[1] = which(out[1]);
  out[2] = which(out + 2);
}

// Casts as C writes them.
template <typename T>
inline T converted(float4 x) { return (T)x + (T)(half4)x; }
kernel void casts(device float4* out, device half4* halves, device const int* in) {
  float4 x = (float4)halves[0] * 2;
  out[0] = x;
  out[1] = -(float4)in[0] + (float4)halves[0].wzyx - (metal::float4)(0.5h);
  halves[1] = (half4)x * (half)in[0];
  out[2] = converted<float4>(x);
  out[3] = (float4)(bfloat4)x.yyyy;
  out[4] = float4((half)(bfloat)1.5f, (float)(half)in[0], (in[0]) - 1, sizeof(half4));
}

// Vectors in parentheses and in braces.
inline float volume(uint3 size, float scale) { return size.x * size.y * size.z * scale; }
inline float volume(long count, float scale) { return -count * scale; }
struct Extent2 { int width; int height; };
inline int area(Extent2 e) { return e.width * e.height; }
kernel void braces(device float* out, uint3 at [[thread_position_in_grid]]) {
  float2 pair(1, 2);
  const half3 triple(pair, 3), other(4);
  int2 corner((int)triple.z, 5);
  out[0] = pair.x + pair.y + float(triple.z + other.x);
  out[1] = volume({2 * at.x + 1, at.y + 2, 3}, 0.5f);
  out[2] = area({corner.x, corner.y});
}

// Attributes on what is no kernel, the library's macros, and extensions of C++17 that clang takes.
struct Sorter {
  static METAL_FUNC int use(threadgroup int* data [[threadgroup(0)]], uint n [[threads_per_threadgroup]]) {
    data[0] = n;
    return data[0];
  }
};
template <int N>
inline int small() {
  if constexpr (N < 4) { return N; } else { return -N; }
}
template <typename... T>
inline int total(T... values) { return (values + ...); }
kernel void attributes(device int* out, threadgroup int* data [[threadgroup(0)]]) {
  out[0] = Sorter::use(data, 7) + small<3>() + small<5>() + total(1, 2, 4);
}
struct Scale {
  uchar bits;
  operator float() { return bits * 2.0f; }
};
template <typename T>
inline T scaled(Scale scale) { return T(scale) + static_cast<T>(scale) + (T)scale; }
constant int forward = 2;
static_assert(metal::_disjunction<is_same<int, float>, is_same<int, int>>::value, "");
static_assert(vec_elements<half3>::value == 3 && is_same_v<uniform<int>, remove_addrspace_t<int>>, "");
kernel void internals(device float* out) {
  assert(out != nullptr);
  #pragma unroll (MANY(3))
  for (int i = 0; i < 2; ++i) out[3 + i] = (i ? float(scaled<half>(Scale{3})) : scaled<float>(Scale{3})) + forward;
  out[0] = __metal_exp(1.0f, __METAL_PRECISE_MATH__) + __metal_fma(2.0f, 3.0f, 4.0f);
  int exponent;
  out[1] = __metal_frexp(12.0f, &exponent) + exponent;
  out[2] = __metal_fmax3(1.0f, 5.0f, 3.0f, __METAL_MAYBE_FAST_MATH__) + __metal_ldexp(1.0f, 3, false);
}
"""


@pytest.fixture(scope="module")
def library() -> msl.Library:
    return compile_kernels(SOURCE, "dialect.metal")


def zeros(count: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.zeros(count, dtype=dtype, device="mps")


def test_members_and_overloads_of_address_spaces(library: msl.Library) -> None:
    out = torch.tensor([1.0, 2.0], device="mps")
    more = torch.tensor([0.0, 1000.0], device="mps")
    library["members"](out, torch.tensor([7.0, 8.0], device="mps"), more, threads=1)
    assert out.tolist() == [11.0, 2.0]
    assert more[0].item() == (5 + 2) + (11 + 2) + 15 + 100 + 1000


def test_overloads_that_are_not_the_same_stay(library: msl.Library) -> None:
    out = zeros(3, torch.int32)
    library["overloads"](out, torch.tensor([5], dtype=torch.int32, device="mps"), threads=1)
    assert out.tolist() == [1, 2, 3]


def test_casts_as_c_writes_them(library: msl.Library) -> None:
    out = zeros(20)
    halves = torch.tensor([1.0, 2.0, 3.0, 1000.5, 0, 0, 0, 0], dtype=torch.half, device="mps")
    library["casts"](out, halves, torch.tensor([3], dtype=torch.int32, device="mps"), threads=1)
    rows = out.reshape(5, 4).tolist()
    assert rows[0] == [2.0, 4.0, 6.0, 2001.0]
    assert rows[1] == [-3 + 1000.5 - 0.5, -3 + 3 - 0.5, -3 + 2 - 0.5, -3 + 1 - 0.5]
    assert halves[4:].tolist() == [6.0, 12.0, 18.0, 6004.0]  # 6003 is no half
    assert rows[2] == [4.0, 8.0, 12.0, 4002.0 - 1.0 + 1.0]
    assert rows[3] == [4.0] * 4
    assert rows[4] == [1.5, 3.0, 2.0, 8.0]


def test_vectors_in_parentheses_and_braces(library: msl.Library) -> None:
    out = zeros(3)
    library["braces"](out, threads=1)
    assert out.tolist() == [1 + 2 + 3 + 4, 1 * 2 * 3 * 0.5, 15]


def test_attributes_and_macros(library: msl.Library) -> None:
    out = zeros(1, torch.int32)
    library["attributes"](out, msl.ThreadgroupMemory(16), threads=1)
    assert out.item() == 7 + 3 - 5 + 7


def test_functions_of_apples_compiler(library: msl.Library) -> None:
    out = zeros(5)
    library["internals"](out, threads=1)
    assert out.tolist() == pytest.approx([2.718281828 + 10, 0.75 + 4, 5 + 8, 20, 20])


def test_a_source_without_kernels_compiles() -> None:
    assert len(compile_kernels("inline int f() { return 1; }", "none.metal")) == 0


def test_the_library_is_there_without_an_include() -> None:
    source = "kernel void f(device uint* x) { x[0] = metal::rotate(x[0], 8u); }"
    values = torch.tensor([0x01020304], dtype=torch.int32, device="mps")
    msl.compile(source)["f"](values, threads=1)
    assert values.item() == 0x02030401


def test_the_survey_finds_what_compiles(tmp_path: Path) -> None:
    from mpsops.msl import _survey

    (tmp_path / "good.metal").write_text("kernel void one(device int* x) { x[0] = SIZE; }")
    (tmp_path / "bad.metal").write_text("kernel void two(device int* x) {\n  x[0] = nothing;\n}")
    text = '\\nauto source = R"METAL(#include <metal_stdlib>\\nkernel void three(device int* x) {}\\n)METAL";'
    (tmp_path / "host.mm").write_text(text.replace("\\n", "\n"))
    bad, good, host = _survey.survey(list(_survey.find(tmp_path)), defines=["SIZE=3"], jobs=2)
    assert [one.compiles for one in (bad, good, host)] == [False, True, True]
    assert [one.kernels for one in (bad, good, host)] == [[], ["one"], ["three"]]
    assert bad.error.endswith("bad.metal:2:10: error: use of undeclared identifier 'nothing'")
    assert host.source.endswith("host.mm:2")


def test_the_survey_finds_strings_that_include_nothing(tmp_path: Path) -> None:
    from mpsops.msl import _survey

    plain = "kernel void four(device int* x [[buffer(0)]]) {\n  x[0] = 4;\n}\n"
    filled = (
        "kernel void five(device {0}* x [[buffer(0)]], device {1}* y [[buffer(1)]]) {{\n"
        "  {0} z[2] = {{1, 2}};\n  x[0] = z[1];\n}}\n"
    )
    opencl = "kernel void six(global int* x) {\n  x[0] = 6;\n}\n"
    strings = "".join(f'const char* s = R"({each})";\n' for each in (plain, filled, opencl))
    (tmp_path / "templates.h").write_text(strings)
    four, five = _survey.survey(list(_survey.find(tmp_path)))
    assert (four.compiles, four.kernels) == (True, ["four"])
    assert (five.compiles, five.error) == (False, "a format string: the program fills in {0}, {1}")
    assert _survey.placeholders(plain) == []
    assert _survey.placeholders("void f() { int x[2] = {0}; int y[1][2] = {{1, 2}}; }") == []
