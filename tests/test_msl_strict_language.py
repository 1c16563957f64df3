"""What of C++ Metal lacks, converts otherwise, or calls by another name."""

from strict_pairs import Pairs, assert_found_and_clean, each, kernel

PAIRS: Pairs = {
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
    "float and a vector of bfloat": (
        "implicit-conversion",
        "inline bfloat4 f(bfloat4 x, float y) { return x * y; } /*BAD*/",
        "inline bfloat4 f(bfloat4 x, float y) { return x * bfloat(y); }",
    ),
    "pixel type": (
        "out-of-scope",
        "inline void f(device rgba8unorm<half4>* x) {} /*BAD*/",
        "inline void f(device half4* rgba8unorm) {}",
    ),
    "header of tensors": (
        "out-of-scope",
        "#include <MetalPerformancePrimitives/MetalPerformancePrimitives.h> /*BAD*/",
        "#include <metal_simdgroup_matrix>",
    ),
    "delete": (
        "restriction",
        "inline void f(thread float* p) { delete p; } /*BAD*/",
        "inline void f(thread float* p) { *p = 0; }",
    ),
    "try": (
        "restriction",
        "inline void f() { try { } catch (...) { } } /*BAD*/",
        "inline void f() { { } }",
    ),
    "unknown variable": (
        "unknown-name",
        "inline int f() { return nothing; } /*BAD*/",
        "constant int nothing = 0;\ninline int f() { return nothing; }",
    ),
    "unknown type": (
        "unknown-name",
        "inline int f(nothing x) { return 0; } /*BAD*/",
        "struct nothing {};\ninline int f(nothing x) { return 0; }",
    ),
    "vector as condition of two scalars": (
        "vector-condition",
        "inline float f(bool4 x, float a) { return x ? a : 2 * a; } /*BAD*/",
        "inline float f(bool4 x, float a) { return all(x) ? a : 2 * a; }",
    ),
}


@each(PAIRS)
def test_a_mistake_is_found_where_it_stands_and_its_clean_twin_passes(rule: str, bad: str, good: str) -> None:
    assert_found_and_clean(rule, bad, good)
