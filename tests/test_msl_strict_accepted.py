"""What published kernels do, and Apple's compiler takes, is no finding: each was one."""

import pytest
from strict_pairs import HEADER, found, kernel

from mpsops.msl.strict import check

BLOCK = (
    "struct Block { float x; };\n"
    "void one(device const Block* b, short n, thread float4& out) { out = b->x * n; }\n"
    "template <class T> void any_of(device const Block* b, short n, thread T& out) { out = T(b->x) * n; }\n"
)
FUNCTION = "void (*f)(device const Block*, short, thread float4&)"
ROWS = (
    "kernel void rows(device const Block* b [[buffer(0)]], device float* out [[buffer(1)]]) {{"
    " float4 x; f(b, 2, x); out[0] = x[0]; }}\n"
    'template [[host_name("a")]] kernel decltype(rows<{0}one>) rows<{0}one>;\n'
    'template [[host_name("b")]] kernel decltype(rows<any_of>) rows<any_of>;\n'
)
PACK = (
    "template <class T> inline void load(thread vec<T, 2>& out, device const T* in) { out[0] = in[1]; }\n"
    "template <class T> kernel void pack(device T* p [[buffer(0)]]) {"
    " typedef metal::vec<T, 2> Two; Two x; load<T>(x, p); p[0] = x[0] ? x[1] : x[0]; }\n"
)

ACCEPTED = {
    "a function as an argument of a template": f"{BLOCK}template <{FUNCTION}>\n{ROWS.format('')}",
    "its address": f"{BLOCK}template <{FUNCTION}>\n{ROWS.format('&')}",
    "an alias of its type": f"{BLOCK}using F = {FUNCTION.replace('*f', '*')};\n"
    f"template <F f>\n{ROWS.format('')}",
    "a typedef of its type": f"{BLOCK}typedef {FUNCTION.replace('*f', '*F')};\n"
    f"template <F f>\n{ROWS.format('')}",
    "handed on": f"{BLOCK}template <{FUNCTION}> inline void g(device const Block* b, thread float4& x)"
    f" {{ f(b, 1, x); }}\ninline void h(device const Block* b) {{ float4 x; g<&one>(b, x); }}",
    "a vector made where it is declared": "template <class T> inline float2 f(ushort2 v, T a) {\n"
    "  float2 x((float)v.x, (float)v.y), y(1.0);\n  metal::vec<T, 2> z(a, a);\n  return x + y + float2(z);\n}\n"
    "inline float2 g(ushort2 v) { return f(v, half(1)); }",
    "a comparison in the arguments of a type": "template <int N> inline int f(int x) {\n"
    "  using T = conditional_t<N != 0 && N <= 4, short, int>;\n  T y = x;\n  return y;\n}\n"
    "inline int g() { return f<3>(1); }",
    "an object of a type that another names": "struct Sum { float x; Sum(float a, float b) : x(a + b) {} };\n"
    "struct Kernel { using sum_t = Sum; };\ntemplate <class K> inline float f(float x) {\n"
    "  typename K::sum_t sum(x, x);\n  return sum.x;\n}\ninline float g() { return f<Kernel>(1); }",
    "vectors of bool in a template": PACK
    + 'template [[host_name("b")]] kernel decltype(pack<bool>) pack<bool>;\n'
    + 'template [[host_name("f")]] kernel decltype(pack<float>) pack<float>;',
    "signed bytes of other lanes": "struct Best { int8_t x; uint i; };\n"
    "inline Best f(Best b) { return Best{simd_shuffle_down(b.x, 1), simd_shuffle_down(b.i, 1)}; }",
    "a macro in a pragma": "#define LEAST(a, b) ((a) < (b) ? (a) : (b))\ninline int f(int n) {\n"
    "#pragma unroll(LEAST(4, 8))\n  for (int i = 0; i < 4; ++i) n += i;\n  return n;\n}",
    "kernels without a space between": "kernel void a(device int* p) { *p = 0; }kernel void b(device int* p) { *p = 1; }",
    "a sum in the type that bfloat is added up in": "template <class T> struct Sum { typedef T type; };\n"
    "template <> struct Sum<bfloat> { typedef float type; };\n"
    "template <class T> using sum_t = typename Sum<T>::type;\n"
    + kernel("sum_t<T> sum = 0;\nsum += in[index];\nfloat x = sum;\nout[index] = T(sum + x);"),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_published_kernels_do(name: str) -> None:
    assert found(ACCEPTED[name]) == []


def test_what_follows_from_an_accepted_error_is_a_finding_without_it() -> None:
    source = "inline float f(float x) { return x[0]; }"
    assert [f.message for f in found(source)] == ["subscripted value is not an array, pointer, or vector"]


def test_logs_are_known_since_metal_3_2() -> None:
    source = (
        f"{HEADER}#include <metal_logging>\nconstant os_log logger("
        '"subsystem", "category");\nkernel void k(device int* p [[buffer(0)]]) {\n'
        '  logger.log_debug("%d", *p);\n  logger.log_with_type(OS_LOG_TYPE_ERROR, "%d", 1);\n}\n'
    )
    assert check(source, "k.metal", version="3.2") == []
    assert [(f.line, f.rule) for f in check(source, "k.metal")] == [(4, "version")]
