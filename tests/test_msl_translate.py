"""Every way to write down a kernel, and what is refused, with file and line."""

import pytest
import torch
from exec_support import compile_kernels, msl


def error_of(source: str, name: str = "bad.metal") -> str:
    with pytest.raises((msl.CompileError, msl.TranslateError)) as caught:
        compile_kernels(source, name)
    return str(caught.value)


def test_forms_of_a_kernel() -> None:
    library = compile_kernels(
        """
kernel void plain_word(device int* out, uint i [[thread_position_in_grid]]) { out[i] = 1; }
[[kernel]] void attribute(device int* out, uint i [[thread_position_in_grid]]) { out[i] = 2; }
[[host_name("renamed")]] kernel void original(device int* out, uint i [[thread_position_in_grid]]) { out[i] = 3; }
namespace outer { namespace inner {
kernel void in_namespace(device int* out, uint i [[thread_position_in_grid]]) { out[i] = 4; }
template <typename T, int N>
kernel void generic(device T* out [[buffer(0)]], uint i [[thread_position_in_grid]]) { out[i] = T(N); }
template [[host_name("decltype_form")]] [[kernel]] decltype(generic<int, 5>) generic<int, 5>;
}}
template [[host_name("full_form")]] kernel void outer::inner::generic<int, 6>(device int* out, uint i);
template [[host_name("attributes_repeated")]] kernel void outer::inner::generic<int, 7>(
    device int* out [[buffer(0)]],
    uint i [[thread_position_in_grid]]);
#define STEM "macro"
#define ROW(T, n) template [[host_name(STEM "_" #T)]] [[kernel]] decltype(outer::inner::generic<T, n>) outer::inner::generic<T, n>;
ROW(int, 8)
template <typename T>
kernel void forward_declared(device T* out, uint i);
template <typename T>
kernel void forward_declared(device T* out, uint i [[thread_position_in_grid]]) { out[i] = 9; }
template [[host_name("declared_before")]] [[kernel]] decltype(forward_declared<int>) forward_declared<int>;
template <typename T> struct Nine { static constant constexpr int value = 10; };
template <typename Op>
kernel void of_template_argument(device int* out, uint i [[thread_position_in_grid]]) { out[i] = Op::value; }
template [[host_name("nested_arguments")]] kernel void of_template_argument<Nine<Nine<int>>>(device int* out, uint i);
kernel void dot(device int* out, uint i [[thread_position_in_grid]]) { out[i] = 11; }
""",
        "forms.metal",
    )
    wanted = {
        "plain_word": 1, "attribute": 2, "renamed": 3, "in_namespace": 4, "decltype_form": 5, "full_form": 6,
        "attributes_repeated": 7, "macro_int": 8, "declared_before": 9, "nested_arguments": 10, "dot": 11,
    }  # fmt: skip
    assert sorted(library.names) == sorted(wanted)
    for name, value in wanted.items():
        out = torch.zeros(3, dtype=torch.int32, device="mps")
        library[name](out, threads=3)
        assert out.tolist() == [value] * 3, name


def test_declarations_around_comparisons_and_arrays() -> None:
    library = compile_kernels(
        """
template <int N, enable_if_t<(N < 4), bool> = true>
inline void fill(thread int (&values)[N], int value) {
  for (int i = 0; i < N; ++i) values[i] = value;
}
template <typename T>
inline void clear(thread T (&values)[3]) { values[2] = T(0); }
kernel void k(device int* out, uint i [[thread_position_in_grid]]) {
  int values[3];
  fill(values, 7);
  clear(values);
  out[i] = values[i];
}
""",
        "arrays.metal",
    )
    out = torch.zeros(3, dtype=torch.int32, device="mps")
    library["k"](out, threads=3)
    assert out.tolist() == [7, 7, 0]


def test_parameters() -> None:
    library = compile_kernels(
        """
struct alignas(8) P { long a; int b; };
enum : int { kSecond = 1 };
kernel void by_index(constant P& p [[buffer(2)]], device half* out [[buffer(0)]],
                     device const float* in [[buffer(kSecond)]], uint i [[thread_position_in_grid]]) {
  out[i] = half(in[i] + p.a + p.b);
}
kernel void by_position(device half* out, const device float* in, constant P& p,
                        threadgroup float* scratch, uint i [[thread_position_in_grid]]) {
  scratch[i] = in[i];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = half(scratch[i] + p.a + p.b);
}
kernel void vector_of_bytes(device int4* out [[buffer(0)]], constant int3& v [[buffer(1)]],
                            constant array<uint, 3>& a [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  out[i] = int4(v, a[2]);
}
""",
        "parameters.metal",
    )
    rows = {p["name"]: p for p in library["by_index"].parameters}
    assert [rows[n]["index"] for n in ("out", "in", "p")] == [0, 1, 2]
    assert [rows[n]["element_size"] for n in ("out", "in", "p")] == [2, 4, 16]
    assert [rows[n]["read_only"] for n in ("out", "in", "p")] == [False, True, True]
    assert rows["i"]["kind"] == "builtin"
    assert library["by_position"].uses_fibers
    values = torch.arange(4.0, device="mps")
    params = (10).to_bytes(8, "little") + (5).to_bytes(4, "little") + bytes(4)
    for name, extra in (("by_index", []), ("by_position", [msl.ThreadgroupMemory(16)])):
        out = torch.zeros(4, dtype=torch.float16, device="mps")
        library[name](out, values, params, *extra, threads=4, group_size=4)
        assert out.tolist() == [15, 16, 17, 18]
    out = torch.zeros(4, dtype=torch.int32, device="mps")
    vector = torch.tensor([1, 2, 3, 0], dtype=torch.int32, device="mps")
    library["vector_of_bytes"](out, vector, vector[1:], threads=1)
    assert out.tolist() == [1, 2, 3, 0]


def test_only_kernels_that_wait_use_fibers() -> None:
    library = compile_kernels(
        """
inline int helper(int x) { return x + 1; }
inline float deep(float x) { return simd_max(x); }
inline float deeper(float x) { return deep(x); }
template <typename T> struct Waits { static T apply(T x) { return deeper(x); } };
template <typename T> struct Plain { static T apply(T x) { return helper(x); } };
template <typename T> using Alias = Waits<T>;
kernel void plain(device int* out, uint simd_lane [[thread_index_in_simdgroup]]) { out[simd_lane] = helper(1); }
kernel void waits(device float* out) { out[0] = deeper(1); }
kernel void declares(device float* out) { threadgroup float a[4]; a[0] = 1; out[0] = a[0]; }
template <typename Op>
kernel void generic(device float* out) { out[0] = Op::apply(1); }
template [[host_name("generic_waits")]] [[kernel]] decltype(generic<Waits<float>>) generic<Waits<float>>;
template [[host_name("generic_plain")]] [[kernel]] decltype(generic<Plain<float>>) generic<Plain<float>>;
template [[host_name("generic_alias")]] [[kernel]] decltype(generic<Alias<float>>) generic<Alias<float>>;
""",
        "fibers.metal",
    )
    fibers = {name: library[name].uses_fibers for name in library}
    assert fibers == {
        "plain": False, "waits": True, "declares": True,
        "generic_waits": True, "generic_plain": False, "generic_alias": True,
    }  # fmt: skip


def test_diagnostics_name_file_and_line() -> None:
    text = error_of(
        """
kernel void f(device float* out, uint i [[thread_position_in_grid]]) {
  threadgroup float shared[4];
  float2 v = float2(1, 2);
  out[i] = undefined_name + v.x;
}
""",
        "some/kernel.metal",
    )
    assert "some/kernel.metal:5:12: error: use of undeclared identifier 'undefined_name'" in text


def test_diagnostics_inside_a_template_name_the_instantiation() -> None:
    text = error_of(
        """
template <typename T>
kernel void f(device T* out, uint i [[thread_position_in_grid]]) { out[i] = out[i].nothing; }
template [[host_name("f_float")]] [[kernel]] decltype(f<float>) f<float>;
"""
    )
    assert "bad.metal:3:" in text
    assert "bad.metal:4:" in text


REFUSED = {
    "double": ("kernel void f(device float* o) { double x = 1; o[0] = x; }", "bad.metal:1: error: Metal has no double"),
    "no attribute": ("kernel void f(device float* o, uint i) {}", "bad.metal:1: error: kernel parameter 'i' has no attribute"),
    "unknown attribute": ("kernel void f(device float* o [[bufer(0)]]) {}", "bad.metal:1: error: [[bufer]] is not an attribute"),
    "not a kernel": (
        "template <class T> void f(device T* o) {}\ntemplate [[host_name(\"x\")]] [[kernel]] decltype(f<int>) f<int>;",
        "bad.metal:2: error: 'f' is not a kernel",
    ),
    "twice": (
        "kernel void f(device int* o) {}\n\n[[host_name(\"f\")]] kernel void g(device int* o) {}",
        "bad.metal:3: error: kernel 'f' was already defined at bad.metal:1",
    ),
    "unbalanced": ("kernel void f(device int* o) { o[0] = (1; }", "bad.metal:1: error: unbalanced"),
    "missing header": ("#include <vector>\nkernel void f(device int* o) {}", "bad.metal:1:10: fatal error: 'vector' file not found"),
    "position as int": ("kernel void f(device int* o, int i [[thread_position_in_grid]]) {}", "built-ins are uint or ushort"),
    "buffer index": ("kernel void f(device int* o [[buffer(31)]]) {}", "a kernel has at most 31 buffers"),
    "no erf": ("kernel void f(device float* o) { o[0] = metal::erf(1.0f); }", "bad.metal:1:48: error: no member named 'erf'"),
    "half to bfloat": ("kernel void f(device half* o, device bfloat* b) { o[0] = b[0]; }", "bad.metal:1:"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str) -> None:
    source, message = REFUSED[what]
    assert message in error_of(source)


def test_missing_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    from mpsops.msl import _compiler

    monkeypatch.setenv("MPSOPS_CLANG", "no-such-clang")
    _compiler.clang.cache_clear()
    try:
        with pytest.raises(
            msl.CompileError, match="needs clang 18 or newer; `pip install ziglang` provides one"
        ):
            _compiler.clang()
    finally:
        _compiler.clang.cache_clear()
