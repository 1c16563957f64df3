"""Each thing that Apple's compiler rejects is found where it stands, and what it accepts is not."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mpsops.msl import CompileError, strict
from mpsops.msl.flatten import flatten
from mpsops.msl.strict import RULES, VERSIONS, Finding, check, check_file

ROOT = Path(__file__).parent.parent
INCLUDE_DIRS = [ROOT, Path(torch.__file__).parent / "include"]
METAL_SOURCES = sorted((ROOT / "metal").glob("*.metal"))
HEADER = "#include <metal_stdlib>\nusing namespace metal;\n"


def found(source: str, version: str = "3.1") -> list[Finding]:
    return check(HEADER + source, "planted.metal", version=version, ignore=())


def kernel(body: str, before: str = "") -> str:
    """A kernel with something in each address space."""
    return (
        f"struct Pair {{ float a; float b; float sum() const {{ return a + b; }} }};\n{before}\n"
        "template <class T>\n"
        "kernel void planted(device T* out [[buffer(0)]], device const T* in [[buffer(1)]],\n"
        "                    constant Pair& params [[buffer(2)]], device Pair* pairs [[buffer(3)]],\n"
        "                    threadgroup float* scratch [[threadgroup(0)]],\n"
        "                    uint index [[thread_position_in_grid]]) {\n"
        f"{body}\n}}\n"
        'template [[host_name("planted_float")]] kernel decltype(planted<float>) planted<float>;\n'
        'template [[host_name("planted_bfloat")]] kernel decltype(planted<bfloat>) planted<bfloat>;\n'
    )


TAKES_THREAD = "inline void takes(thread Pair& pair) { pair.a = 0.0f; }"
POINTER = "inline float first({} float* p) {{ return p[0]; }}"
ATOMIC = "atomic_fetch_add_explicit(&counter, {}, memory_order_relaxed);"

TWICE = "inline float twice(const thread float& x) { return 2.0f * x; }"
VIEW = (
    "struct View { float x; float get() const { return x; } float get() const device { return x; }\n"
    "              float get() const constant { return x; } };"
)

# rule, what is wrong (marked with BAD), what is right instead
PAIRS = {
    "pointer parameter": ("address-space", POINTER.format("/*BAD*/"), POINTER.format("device")),
    "array parameter": (
        "address-space",
        kernel("first(scratch); /*BAD*/", "inline float first(const float p[2]) { return p[0]; }"),
        kernel("float own[2];\nfirst(own);", "inline float first(const float p[2]) { return p[0]; }"),
    ),
    "reference parameter": (
        "address-space",
        "inline float twice(const float& x) { return 2.0f * x; } /*BAD*/",
        "inline float twice(const thread float& x) { return 2.0f * x; }",
    ),
    "pointer in a template": (
        "address-space",
        "template <class T> inline T first(T* p) { return p[0]; } /*BAD*/",
        "template <class T> inline T first(T p) { return p; }\n"
        "template <class T> inline enable_if_t<true && true, T> same(T p) { T a[2 * 2] = {p}; return a[0]; }",
    ),
    "local pointer": (
        "address-space",
        kernel("float* p = scratch; /*BAD*/"),
        kernel("threadgroup float* p = scratch;\nauto q = out;\ndevice auto& r = out[0];"),
    ),
    "cast": (
        "address-space",
        kernel("device T* p = out;\np = (T*)(p); /*BAD*/"),
        kernel("device T* p = out;\np = (device T*)(p);"),
    ),
    "member": (
        "address-space",
        "struct View { float* data; }; /*BAD*/",
        "struct View { device float* data; };",
    ),
    "device to thread": (
        "address-space",
        kernel("takes(pairs[0]); /*BAD*/", TAKES_THREAD),
        kernel("Pair pair = pairs[0];\ntakes(pair);\npairs[0] = pair;", TAKES_THREAD),
    ),
    "device to thread in a template": (
        "address-space",
        kernel(
            "clear(out[0]); /*BAD*/", "template <class T> inline void clear(thread T& x) { x = T(0.0f); }"
        ),
        kernel(
            "T x = out[0];\nclear(x);", "template <class T> inline void clear(thread T& x) { x = T(0.0f); }"
        ),
    ),
    "constant to device": (
        "address-space",
        kernel("device const Pair* p = &params; /*BAD*/"),
        kernel("constant Pair* p = &params;\nPair copy = *p;"),
    ),
    "device to constant": (
        "address-space",
        kernel("constant Pair& p = pairs[0]; /*BAD*/"),
        kernel("device Pair& p = pairs[0];"),
    ),
    "threadgroup to device": (
        "address-space",
        kernel("first(scratch); /*BAD*/", POINTER.format("device")),
        kernel("first(scratch);", POINTER.format("threadgroup")),
    ),
    "overloads by address space": (
        "address-space",
        kernel("first(&params.a); /*BAD*/", POINTER.format("device") + POINTER.format("threadgroup")),
        kernel(
            "first(&params.a);\nfirst(scratch);", POINTER.format("constant") + POINTER.format("threadgroup")
        ),
    ),
    "method of a device object": (
        "address-space",
        kernel("out[0] = T(pairs[0].sum()); /*BAD*/"),
        kernel("out[0] = T(Pair(pairs[0]).sum());"),
    ),
    "method of a constant object": (
        "address-space",
        kernel("out[0] = T(params.sum()); /*BAD*/"),
        kernel("const Pair pair = params;\nout[0] = T(pair.sum());"),
    ),
    "methods for each address space": (
        "address-space",
        kernel(
            "out[0] = T(params.sum() + View{1.0f}.get() + ((threadgroup View*)scratch)->get()); /*BAD*/", VIEW
        ),
        kernel("out[0] = T(((device View*)out)->get() + ((constant View*)&params)->get());", VIEW),
    ),
    "temporary": (
        "address-space",
        kernel("twice(scratch[0]); /*BAD*/", TWICE),
        kernel(
            "float x = twice(2.0f) + twice(scratch[0] + x) + Pair{1.0f, x}.sum();\nuint4 v = {1, 2, 3};",
            TWICE,
        ),
    ),
    "write to constant": (
        "address-space",
        kernel("params.a = 1.0f; /*BAD*/"),
        kernel("Pair pair = params;\npair.a = 1.0f;"),
    ),
    "library function with a result by reference": (
        "address-space",
        kernel("sincos(1.0f, scratch[0]); /*BAD*/"),
        kernel("float cosine;\nscratch[0] = sincos(1.0f, cosine);"),
    ),
    "kernel with a thread pointer": (
        "kernel",
        "kernel void k(thread float* p [[buffer(0)]]) { p[0] = 0.0f; } /*BAD*/",
        "kernel void k(device float* p [[buffer(0)]]) { p[0] = 0.0f; }",
    ),
    "kernel with a result": (
        "kernel",
        "kernel float k(device float* p [[buffer(0)]]) { return p[0]; } /*BAD*/",
        "kernel void k(device float* p [[buffer(0)]]) { return; }",
    ),
    "atomic in thread memory": (
        "atomics",
        kernel("atomic_uint counter;\n" + ATOMIC.format("1u") + " /*BAD*/"),
        kernel("threadgroup atomic_uint counter;\n" + ATOMIC.format("1u")),
    ),
    "atomic float in threadgroup memory": (
        "atomics",
        kernel("threadgroup atomic_float counter;\n" + ATOMIC.format("1.0f") + " /*BAD*/"),
        kernel("device atomic_float& counter = *(device atomic_float*)out;\n" + ATOMIC.format("1.0f")),
    ),
    "atomic float maximum": (
        "atomics",
        "inline void f(device atomic_float* p) { atomic_fetch_max_explicit(p, 1.0f, memory_order_relaxed); } /*BAD*/",
        "inline void f(device atomic_float* p) { atomic_exchange_explicit(p, 1.0f, memory_order_relaxed); }",
    ),
    "atomic 64-bit addition": (
        "atomics",
        "inline void f(device atomic_ulong* p) { atomic_fetch_add_explicit(p, 1ul, memory_order_relaxed); } /*BAD*/",
        "inline void f(device atomic_ulong* p) { atomic_max_explicit(p, 1ul, memory_order_relaxed); }",
    ),
    "double": (
        "double",
        "inline float half_of(float x) { double y = x; return y / 2.0; } /*BAD*/",
        "inline float half_of(float x) { float y = x; return y / 2.0; }",
    ),
    "recursion": (
        "recursion",
        "inline uint factorial(uint n) { return n == 0 ? 1 : n * factorial(n - 1); } /*BAD*/",
        "inline uint factorial(ulong n) { return uint(n); }\n"
        "inline uint factorial(uint n) { return n * factorial(ulong(n - 1)); }",
    ),
    "mutual recursion in templates": (
        "recursion",
        "template <class T> T odd(T n);\n"
        "template <class T> T even(T n) { return n == 0 ? 1 : odd<T>(n - 1); } /*BAD*/\n"
        "template <class T> T odd(T n) { return n == 0 ? 0 : even<T>(n - 1); } /*BAD*/\n"
        "inline uint parity(uint n) { return even(n); }",
        "template <class T> T odd(T n) { return n & 1; }\n"
        "template <class T> T even(T n) { return odd<T>(n - 1); }\n"
        "inline uint parity(uint n) { return even(n); }",
    ),
    "recursion of a method": (
        "recursion",
        "struct Tree { uint depth(uint n) const { return n == 0 ? 0 : depth(n / 2) + 1; } }; /*BAD*/",
        "struct Tree { uint depth(uint n) const { return n == 0 ? 0 : 1; } };",
    ),
    "function pointer": (
        "function-pointer",
        "inline float apply(float (*f)(float), float x) { return f(x); } /*BAD*/",
        "template <class F> inline float apply(F f, float x) { return f(x); }",
    ),
    "virtual function": (
        "restriction",
        "struct Base { virtual float f() const { return 0.0f; } }; /*BAD*/",
        "struct Base { float f() const { return 0.0f; } };\nstruct Derived : Base {};",
    ),
    "goto": (
        "restriction",
        "inline void f() { goto end; /*BAD*/\nend:; }",
        "inline void f() { while (true) { break; } }",
    ),
    "new": (
        "restriction",
        "inline void f() { auto p = new float; } /*BAD*/",
        "struct Only { Only() = default; Only(float) = delete; };",
    ),
    "exception": ("restriction", "inline void f() { throw 1; } /*BAD*/", "inline void f() { return; }"),
    "lambda": (
        "lambda",
        kernel("auto square = [](float x) { return x * x; }; /*BAD*/"),
        kernel(
            "Square square;\nsquare(2.0f);",
            "struct Square { float operator()(float x) const { return x * x; } };",
        ),
    ),
    "if constexpr": (
        "c++17",
        "template <int N> int f() { if constexpr (N > 0) { return N; } return 0; } /*BAD*/\n",
        "template <int N> int f() { if (N > 0) { return N; } return 0; }\n",
    ),
    "structured binding": (
        "c++17",
        kernel("Pair pair = params;\nauto [a, b] = pair; /*BAD*/"),
        kernel("Pair pair = params;\nfloat a = pair.a;"),
    ),
    "program scope": (
        "program-scope",
        "constexpr float kTable[] = {1.0f, 2.0f}; /*BAD*/",
        "constant constexpr float kTable[] = {1.0f, 2.0f};\n"
        "template <class T> constexpr constant bool is_float = is_same_v<T, float>;",
    ),
    "static local": (
        "static-local",
        "inline int next() { static int count = 0; return ++count; } /*BAD*/",
        "constant constexpr int kCount[] = {1};\ninline int next() { return kCount[0]; }",
    ),
    "static local of a method": (
        "static-local",
        "struct Counter { int next() const { static int count = 0; return ++count; } }; /*BAD*/",
        "struct Counter { int next() const { constexpr int count = 0; return count; } };",
    ),
    "float to bfloat": (
        "implicit-conversion",
        "inline bfloat zero() { bfloat x = 0.0f; return x; } /*BAD*/",
        "inline bfloat zero() { bfloat x = bfloat(0.0f); return x; }",
    ),
    "float to bfloat in one instantiation": (
        "implicit-conversion",
        kernel("out[index] = in[index] * 0.5f; /*BAD*/"),
        kernel("out[index] = T(float(in[index]) * 0.5f);"),
    ),
    "float added to bfloat": (
        "implicit-conversion",
        kernel("out[index] += 0.5f; /*BAD*/"),
        kernel("out[index] += T(0.5f);"),
    ),
    "bfloat to half": (
        "implicit-conversion",
        "inline half f(bfloat x) { half y = x; return y; } /*BAD*/",
        "inline half f(bfloat x) { half y = half(x); return y; }",
    ),
    "buffer index": (
        "buffers",
        "kernel void k(device float* p [[buffer(31)]]) { p[0] = 0.0f; } /*BAD*/",
        "kernel void k(device float* p [[buffer(30)]]) { p[0] = 0.0f; }",
    ),
    "computed buffer index": (
        "buffers",
        "constant constexpr int kIndex = 30;\n"
        "kernel void k(device float* p [[buffer(kIndex + 1)]]) { p[0] = 0.0f; } /*BAD*/",
        "constant constexpr int kIndex = 30;\nkernel void k(device float* p [[buffer(kIndex)]]) { p[0] = 0.0f; }",
    ),
    "threadgroup memory": (
        "threadgroup-memory",
        "kernel void k(device float* p [[buffer(0)]]) { threadgroup float a[8192], b[1]; p[0] = a[0] + b[0]; } /*BAD*/",
        "kernel void k(device float* p [[buffer(0)]]) { threadgroup float a[8191], b[1]; p[0] = a[0] + b[0]; }",
    ),
    "threadgroup memory of one instantiation": (
        "threadgroup-memory",
        "struct Slot { ulong key; uint tag; };\n"
        "template <class T> kernel void k(device T* p [[buffer(0)]]) { threadgroup T a[2049]; p[0] = a[0]; } /*BAD*/\n"
        'template [[host_name("k")]] kernel decltype(k<Slot>) k<Slot>;',
        "template <class T> kernel void k(device T* p [[buffer(0)]]) { threadgroup T a[2049]; p[0] = a[0]; }\n"
        'template [[host_name("k")]] kernel decltype(k<float>) k<float>;',
    ),
    "parameter without attribute": (
        "attribute",
        "kernel void k(device float* p [[buffer(0)]], uint index) { p[index] = 0.0f; } /*BAD*/",
        "kernel void k(device float* p, uint index [[thread_position_in_grid]]) { p[index] = 0.0f; }",
    ),
    "unknown attribute": (
        "attribute",
        "kernel void k(device float* p [[buffer(0)]], uint i [[thread_index]]) { p[i] = 0.0f; } /*BAD*/",
        "kernel void k(device float* p [[buffer(0)]], uint i [[thread_index_in_simdgroup]]) { p[i] = 0.0f; }",
    ),
    "two kernels of one name": (
        "duplicate-kernel",
        kernel("")
        + 'template [[host_name("planted_float")]] kernel decltype(planted<half>) planted<half>; /*BAD*/',
        kernel("") + 'template [[host_name("planted_half")]] kernel decltype(planted<half>) planted<half>;',
    ),
    "declarations around comparisons and arrays": (
        "address-space",
        "template <int N, enable_if_t<(N < 4), bool> = true>\n"
        "inline float first(threadgroup float (&x)[N]) { return x[0]; }\n"
        + kernel("float own[2];\nfirst(own); /*BAD*/"),
        "template <int N, enable_if_t<(N < 4), bool> = true>\n"
        "inline float first(thread float (&x)[N]) { return x[0]; }\n" + kernel("float own[2];\nfirst(own);"),
    ),
    "long double": (
        "double",
        "inline float f(float x) { long double y = x; return y; } /*BAD*/",
        "inline float f(float x) { long y = x; return y; }",
    ),
    "long long": (
        "long-long",
        "inline long f(int x) { unsigned long long y = x; return y; } /*BAD*/",
        "inline long f(int x) { unsigned long y = x; return y; }",
    ),
    "dynamic_cast": (
        "restriction",
        "struct A {}; struct B : A {};\n"
        "inline thread B* f(thread A* a) { return dynamic_cast<thread B*>(a); } /*BAD*/",
        "struct A {}; struct B : A {};\ninline thread A* f(thread B* b) { return static_cast<thread A*>(b); }",
    ),
    "typeid": (
        "restriction",
        "inline bool f(int x) { return typeid(x) == typeid(int); } /*BAD*/",
        "template <class T> inline bool f(T) { return is_same_v<T, int>; }\ninline bool g() { return f(1); }",
    ),
    "thread_local": (
        "restriction",
        "inline int f() { thread_local int x; return x; } /*BAD*/",
        "inline int f() { int x = 0; return x; }",
    ),
    "register": (
        "restriction",
        "inline int f(int y) { register int x = y; return x; } /*BAD*/",
        "inline int f(int register_count) { return register_count; }",
    ),
    "asm": (
        "restriction",
        'inline void f() { asm volatile("nop"); } /*BAD*/',
        'int f(int x) __asm("air.f");',
    ),
    "variadic function": (
        "restriction",
        "inline int f(int x, ...) { return x; } /*BAD*/",
        "template <class... T> inline int f(int x, T...) { return x; }\ninline int g() { return f(1, 2.0f); }",
    ),
    "main": ("main", "inline int main() { return 0; } /*BAD*/", "inline int domain() { return 0; }"),
    "initialiser at program scope": (
        "constant-initializer",
        "constant float kTable[2]; /*BAD*/",
        "constant float kTable[2] = {1.0f, 2.0f};\nconstant int kSize [[function_constant(0)]];\n"
        "constant int kTwice = 2 * kSize;\nconstant bool kHas = is_function_constant_defined(kSize);",
    ),
    "initialiser that is not constant": (
        "constant-initializer",
        "inline float one() { return 1.0f; }\nconstant float kOne = one(); /*BAD*/",
        "constexpr float one() { return 1.0f; }\nconstant float kOne = one();",
    ),
    "built-in at program scope": (
        "program-scope",
        "uint2 position; /*BAD*/\ninline uint f() { return 0; }",
        "uint2 position [[thread_position_in_grid]];\ninline uint f() { return position.x; }",
    ),
    "conversion of a vector": (
        "implicit-conversion",
        "inline float4 f(int4 i) { float4 x = i; return x; } /*BAD*/",
        "inline float4 f(int4 i) { float4 x = float4(i); return x; }\ninline float4 g(float x) { return x; }",
    ),
    "vectors of two types": (
        "implicit-conversion",
        "inline float4 f(float4 x, half4 y) { return x + y; } /*BAD*/",
        "inline float4 f(float4 x, half4 y) { return x + float4(y) + (float4)y; }\n"
        "inline half4 g(half4 x, float y) { return x * y + 2.0f; }",
    ),
    "vector to scalar": (
        "implicit-conversion",
        "inline float f(float4 x) { return x; } /*BAD*/",
        "inline float f(float4 x) { return x[0]; }",
    ),
    "bfloat and half": (
        "implicit-conversion",
        "inline half f(half a, bfloat b) { return a + b; } /*BAD*/",
        "inline half f(half a, bfloat b) { return half(a + float(b)); }",
    ),
    "narrowing": (
        "narrowing",
        "struct Pair { half a; uchar b; };\ninline Pair f(float a, int b) { return Pair{half(a), b}; } /*BAD*/",
        "struct Pair { half a; uchar b; };\n"
        "inline Pair f(float a, int b) { return Pair{half(a), uchar(b)}; }\ninline half g() { return half{0.5f}; }",
    ),
    "vector as condition": (
        "vector-condition",
        "inline float f(bool4 x) { if (x) { return 1.0f; } return 0.0f; } /*BAD*/",
        "inline float f(bool4 x) { if (any(x)) { return 1.0f; } return 0.0f; }",
    ),
    "vector as condition of ?:": (
        "vector-condition",
        "inline int4 f(int4 x, int4 y) { return x ? x : y; } /*BAD*/",
        "inline int4 f(int4 x, int4 y) { return select(y, x, x != 0); }\n"
        "inline int4 g(int4 x, int4 y) { return x[0] ? x : y; }",
    ),
    "buffer index used twice": (
        "buffers",
        "kernel void k(device float* p [[buffer(1)]], device float* q [[buffer(1)]]) { *p = *q; } /*BAD*/",
        "constant bool kHas [[function_constant(0)]];\n"
        "kernel void k(device float* p [[buffer(1)]], device float* q [[buffer(1), function_constant(kHas)]],\n"
        "              threadgroup float* r [[threadgroup(1)]]) { *p = 0; }",
    ),
    "buffer by value": (
        "kernel-argument",
        "kernel void k(device float* p [[buffer(0)]], float x [[buffer(1)]]) { *p = x; } /*BAD*/",
        "kernel void k(device float* p [[buffer(0)]], constant float& x [[buffer(1)]]) { *p = x; }",
    ),
    "type of a built-in": (
        "kernel-argument",
        "kernel void k(device float* p, int i [[thread_position_in_grid]]) { p[i] = 0.0f; } /*BAD*/",
        "kernel void k(device float* p, ushort3 i [[thread_position_in_grid]]) { p[i.x] = 0.0f; }",
    ),
    "kernel that calls a kernel": (
        "kernel-call",
        "kernel void a(device float* p [[buffer(0)]]) { *p = 0.0f; }\n"
        "[[kernel, max_total_threads_per_threadgroup(64)]] void b(device float* p [[buffer(0)]]) { a(p); } /*BAD*/",
        "inline void fill(device float* p) { *p = 0.0f; }\n"
        "kernel void a(device float* p [[buffer(0)]]) { fill(p); }\n"
        "[[kernel]] void b(device float* p [[buffer(0)]]) { fill(p); }",
    ),
    "threads of a group": (
        "max-threads",
        "[[max_total_threads_per_threadgroup(2048)]] kernel void k(device float* p) { *p = 0.0f; } /*BAD*/",
        "[[max_total_threads_per_threadgroup(1024)]] kernel void k(device float* p) { *p = 0.0f; }",
    ),
    "attribute of a function": (
        "attribute",
        "[[max_threads(64)]] kernel void k(device float* p [[buffer(0)]]) { *p = 0.0f; } /*BAD*/",
        "[[clang::always_inline]] inline float f([[maybe_unused]] float x) { return 0.0f; }",
    ),
    "device variable of a function": (
        "address-space",
        "kernel void k(device float* p [[buffer(0)]]) { device float x; x = *p; } /*BAD*/",
        "kernel void k(device float* p [[buffer(0)]]) { threadgroup float x = 0.0f; x = *p; }",
    ),
    "conversion operator of a device object": (
        "address-space",
        "struct F { uchar x; operator float() const { return x; } };\n"
        "inline float f(device F* p) { float x = *p; return x; } /*BAD*/",
        "struct F { uchar x; operator float() const { return x; } };\n"
        "template <class T> inline T convert(F f) { return T(f); }\n"
        "inline float f(device F* p) { F own = *p; return own + convert<float>(own); }",
    ),
    "threadgroup variable of a function": (
        "threadgroup-variable",
        "inline float f(float x) { threadgroup float y[2]; y[0] = x; return y[0]; } /*BAD*/",
        "inline float f(float x, threadgroup float* y) { y[0] = x; return y[0]; }\n"
        "[[kernel, max_total_threads_per_threadgroup(64)]] void k(device float* p [[buffer(0)]]) {\n"
        "  if (*p > 0.0f) { threadgroup float y[2]; *p = f(*p, y); }\n}",
    ),
    "function of C": (
        "not-in-metal",
        kernel("out[0] = T(expf(1.0f)); /*BAD*/"),
        kernel("out[0] = T(precise::exp(1.0f));"),
    ),
    "namespace of C++": (
        "not-in-metal",
        kernel("out[0] = T(std::fmin(1.0f, 2.0f)); /*BAD*/"),
        kernel("out[0] = T(metal::fmin(1.0f, 2.0f));"),
    ),
    "printf": (
        "not-in-metal",
        'inline void f() { printf("x"); } /*BAD*/',
        "inline void f() { assert(true); }",
    ),
    "CUDA": (
        "not-in-metal",
        kernel("__syncthreads(); /*BAD*/"),
        kernel("threadgroup_barrier(mem_flags::mem_threadgroup);"),
    ),
    "function that Metal lacks": (
        "not-in-metal",
        kernel("out[0] = T(metal::erf(1.0f)); /*BAD*/"),
        kernel("out[0] = T(metal::exp(1.0f));"),
    ),
    "unknown function": (
        "unknown-name",
        kernel("out[0] = T(metal::exponential(1.0f)); /*BAD*/"),
        kernel("out[0] = T(metal::exp(1.0f));"),
    ),
    "header of C++": ("include", "#include <cmath> /*BAD*/", "#include <metal_math>"),
    "texture": (
        "out-of-scope",
        "inline float f(texture2d<float> t) { return 0.0f; } /*BAD*/",
        "inline float f(float texture) { return texture; }",
    ),
    "newer function": (
        "version",
        "inline void f() { atomic_thread_fence(mem_flags::mem_device, memory_order_relaxed); } /*BAD*/",
        "inline void atomic_thread_fence(int) {}\ninline void f() { atomic_thread_fence(1); }",
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_planted_bug_is_found_where_it_stands(name: str) -> None:
    rule, bad, _ = PAIRS[name]
    lines = [number for number, line in enumerate((HEADER + bad).splitlines(), 1) if "/*BAD*/" in line]
    assert {(f.file, f.line, f.rule) for f in found(bad)} == {("planted.metal", line, rule) for line in lines}


@pytest.mark.parametrize("name", PAIRS)
def test_its_clean_twin_passes(name: str) -> None:
    assert found(PAIRS[name][2]) == []


@pytest.mark.parametrize("defines", [(), ("MPSOPS_NO_BFLOAT",)], ids=["bfloat", "no bfloat"])
@pytest.mark.parametrize("source", METAL_SOURCES, ids=lambda path: path.stem)
def test_every_kernel_family_passes(source: Path, defines: tuple[str, ...]) -> None:
    text = flatten(source, INCLUDE_DIRS).text
    assert check(text, f"metal/{source.name}", defines=defines, ignore=()) == []


@pytest.mark.parametrize("source", METAL_SOURCES, ids=lambda path: path.stem)
def test_a_lost_address_space_in_a_family_is_found(source: Path) -> None:
    text = flatten(source, INCLUDE_DIRS).text
    lost = re.sub(r"\bdevice (?=(?:const )?\w+\* )", "", text, count=1)
    assert "address-space" in {f.rule for f in check(lost, source.name)}


def test_what_apple_takes_is_left_out_of_third_party_files() -> None:
    source = "inline float apply(float (*f)(float), float x) { return f(x); }\ninline float g(float* p) { return *p; }\n"
    marked = HEADER + '#line 1 "c10/metal/x.h"\n' + source
    assert [(f.file, f.rule) for f in check(marked, "k.metal")] == [("c10/metal/x.h", "address-space")]
    rules = [f.rule for f in check(marked, "k.metal", third_party=())]
    assert rules == ["function-pointer", "address-space"]


def test_messages_speak_metal() -> None:
    findings = found(kernel("device const Pair* p = &params;"))
    assert [f.message for f in findings] == [
        "cannot initialize a variable of type 'const device Pair *' with an rvalue of type 'constant Pair *'"
    ]
    assert (findings[0].section.number, findings[0].section.title) == ("4", "Address Spaces")


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("inline float f(device float* a, float* b) { return *b; }", "b) {"),
        ("inline half f(half a, bfloat b) { return a + b; }", "b; }"),
        ("inline float f(float x) { double y = x; return y; }", "double"),
        ("kernel void k(constant float& x [[buffer(0)]], device float* p [[buffer(31)]]) { *p = x; }", "31"),
        ("inline float f(float x) { return exp(x) + expf(x); }", "expf"),
    ],
)
def test_columns_are_those_of_the_source(line: str, at: str) -> None:
    assert [f.column for f in found(line)] == [line.index(at) + 1]


def test_what_a_macro_says_has_a_line_and_no_column() -> None:
    findings = found("#define F(name) inline float name(float* p) { return *p; }\nF(f)")
    assert [(f.line, f.column, f.rule) for f in findings] == [(4, 0, "address-space")]


def test_a_file_is_checked_with_those_that_it_includes(tmp_path: Path) -> None:
    (tmp_path / "common").mkdir()
    bad = tmp_path / "common" / "bad.h"
    bad.write_text("#pragma once\ninline float f(float* p) { return *p; }\n")
    source = tmp_path / "k.metal"
    source.write_text(HEADER + '#include "common/bad.h"\n')
    assert [(f.file, f.line, f.column, f.rule) for f in check_file(source)] == [
        (str(bad), 2, 23, "address-space")
    ]
    source.write_text(HEADER + '#ifdef BAD\n#include "bad.h"\n#include "none.h"\n#endif\n')
    assert check_file(source, include=[tmp_path / "common"]) == []
    findings = check_file(source, include=[tmp_path / "common"], defines=["BAD=1"])
    assert [(f.file, f.line, f.rule) for f in findings] == [(str(source), 5, "include")]


def test_a_folder_with_a_file_called_as_ours_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mpsops_support.h").write_text("#error\n")
    monkeypatch.chdir(tmp_path)
    assert found("inline float f(float x) { return x; }") == []


def test_versions() -> None:
    source = (
        "#if __METAL_VERSION__ < 310\ninline int f() { return bfloat(1.0f); }\n#endif\n"
        "inline int g(int x) { auto h = [](int y) { return y; }; return h(x); }\n"
        "inline int i(int x) { if constexpr (true) { return x; } return 0; }"
    )
    rules = {version: {f.rule for f in found(source, version)} for version in VERSIONS}
    assert rules == {
        "2.3": {"version", "lambda", "c++17"},
        "2.4": {"version", "lambda", "c++17"},
        "3.0": {"version", "lambda", "c++17"},
        "3.1": {"lambda", "c++17"},
        "3.2": {"c++17"},
        "4.0": set(),
    }
    fence = PAIRS["newer function"][1]
    assert [f.message for f in found(fence)] == ["'atomic_thread_fence' needs Metal 3.2, got 3.1"]
    assert found(fence, "3.2") == []


def test_a_name_of_the_source_is_not_newer_metal() -> None:
    source = "struct tensor { float x; };\ninline float nextafter(float x) { return x; }\n"
    assert found(source + "inline float f(tensor t) { return nextafter(t.x); }", "3.0") == []
    assert [f.rule for f in found("inline float f(float x) { return metal::nextafter(x, x); }", "3.0")] == [
        "version"
    ]


def test_coherent_buffers_are_newer() -> None:
    source = (
        "kernel void k(volatile coherent(device) device uint* p [[buffer(0)]],\n"
        "              coherent device uint* q) {\n"
        "  uint coherent = p[0];\n  q[0] = coherent;\n}"
    )
    assert [(f.line, f.rule) for f in found(source)] == [(3, "version"), (4, "version")]
    assert found(source, "3.2") == []


def test_pedantic_rules_are_off_by_default() -> None:
    source = HEADER + "inline int f(int x) { if constexpr (true) { return x; } return 0; }"
    assert check(source, "k.metal") == []
    assert [f.rule for f in check(source, "k.metal", ignore=())] == ["c++17"]


def test_every_rule_has_a_planted_bug() -> None:
    assert {rule for rule, _, _ in PAIRS.values()} | {"compile", "forward-progress"} == set(RULES)


def test_what_is_not_c_plus_plus_is_said_by_clang() -> None:
    assert [f.rule for f in found("inline float f(float x) { return x }")] == ["compile"]


def test_a_clang_that_does_not_run_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict, "_OPTIONS", ["--no-such-option", *strict._OPTIONS])
    with pytest.raises(CompileError, match="no-such-option"):
        found("")


def test_a_missing_header_is_a_finding() -> None:
    findings = found("#include <metal_nothing>\n")
    assert [(f.line, f.rule) for f in findings] == [(3, "include")]


def test_it_runs_without_torch() -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        f"sys.path.insert(0, {str(ROOT / 'cmake')!r})\n"
        "from compile_kernels import ROOT, load\n"
        "load('msl', ROOT / 'python' / 'mpsops' / 'msl')\n"
        "from msl.strict import check\n"
        "print([f.rule for f in check('inline float f(float* p) { return *p; }', 'k.metal')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "['address-space']\n", done.stderr
