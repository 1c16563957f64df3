"""Kernels: their arguments, names, memory and variables around them."""

from strict_pairs import Pairs, assert_found_and_clean, each, kernel

SGD = (
    "template <class T> kernel void step(device T* p [[buffer(0)]], uint i [[thread_position_in_grid]])"
    " { p[i] = T(0); }\n"
    "template <class T> kernel void step(device T* p [[buffer(0)]], device T* q [[buffer(1)]],"
    " uint i [[thread_position_in_grid]]) { p[i] = q[i]; }\n"
)
BRANCHES = (
    "template <bool Sorts, int N> kernel void k(device float* p [[buffer(0)]]) {{\n"
    "  if (Sorts && N > 2) {{ threadgroup float a[8192]; p[0] = a[1]; }}\n"
    "  else {{ threadgroup float b[8192]; p[0] = b[1]; }}\n"
    "  if (!Sorts) {{ threadgroup float c[{}]; p[0] += c[0]; }}\n}}\n"
    'template [[host_name("k")]] kernel decltype(k<true, 4>) k<true, 4>;\n'
    'template [[host_name("l")]] kernel decltype(k<false, 4>) k<false, 4>;\n'
)

PAIRS: Pairs = {
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
    "initialiser at program scope": (
        "constant-initializer",
        "constant float kTable[2]; /*BAD*/",
        "constant float kTable[2] = {1.0f, 2.0f};\nconstant int kSize [[function_constant(0)]];\n"
        "constant float kScale [[function_constant(1)]];\nconstant float kHalf = kScale / 2;\nconstant int kTwice = 2 * kSize;\nconstant bool kHas = is_function_constant_defined(kSize);",
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
    "threadgroup variable of a function": (
        "threadgroup-variable",
        "inline float f(float x) { threadgroup float y[2]; y[0] = x; return y[0]; } /*BAD*/",
        "inline float f(float x, threadgroup float* y) { y[0] = x; return y[0]; }\n"
        "[[kernel, max_total_threads_per_threadgroup(64)]] void k(device float* p [[buffer(0)]]) {\n"
        "  if (*p > 0.0f) { threadgroup float y[2]; *p = f(*p, y); }\n}",
    ),
    "threadgroup memory of a branch that is never taken": (
        "threadgroup-memory",
        BRANCHES.format("1").replace("{\n", "{ /*BAD*/\n", 1),
        BRANCHES.format("1").replace("b[8192]", "b[8191]"),
    ),
    "kernels of one name and other parameters": (
        "compile",
        SGD + 'template [[host_name("s")]] kernel void step<float>(device float*, constant uint&); /*BAD*/',
        SGD
        + 'template [[host_name("s")]] kernel void step<float>(device float* p [[buffer(0)]], uint i);\n'
        + 'template [[host_name("m")]] kernel void step<float>(device float* p, device float* q, uint i);\n',
    ),
    "built-in by pointer": (
        "kernel-argument",
        "kernel void k(device float* p, device uint* i [[thread_position_in_grid]]) { *p = *i; } /*BAD*/",
        "kernel void k(device float* p, device uint* q, uint i [[thread_position_in_grid]]) { *p = q[i]; }",
    ),
    "no threads in a group": (
        "max-threads",
        "[[max_total_threads_per_threadgroup(0)]] kernel void k(device float* p) { *p = 0.0f; } /*BAD*/",
        "[[max_total_threads_per_threadgroup(1)]] kernel void k(device float* p) { *p = 0.0f; }",
    ),
    "texture of a kernel": (
        "out-of-scope",
        "kernel void k(texture2d<float> t [[texture(0)]], device float* p) { *p = 0.0f; } /*BAD*/",
        "kernel void k(device const float* texture, device float* p) { *p = *texture; }",
    ),
}


@each(PAIRS)
def test_a_mistake_is_found_where_it_stands_and_its_clean_twin_passes(rule: str, bad: str, good: str) -> None:
    assert_found_and_clean(rule, bad, good)
