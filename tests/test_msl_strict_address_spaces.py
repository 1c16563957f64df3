"""Pointers, references, methods and atomics: what is in which address space, and what turns into another."""

from strict_pairs import Pairs, assert_found_and_clean, each, kernel

TAKES_THREAD = "inline void takes(thread Pair& pair) { pair.a = 0.0f; }"
POINTER = "inline float first({} float* p) {{ return p[0]; }}"
ATOMIC = "atomic_fetch_add_explicit(&counter, {}, memory_order_relaxed);"
TWICE = "inline float twice(const thread float& x) { return 2.0f * x; }"
VIEW = (
    "struct View { float x; float get() const { return x; } float get() const device { return x; }\n"
    "              float get() const constant { return x; } };"
)

PAIRS: Pairs = {
    "pointer parameter": ("address-space", POINTER.format("/*BAD*/"), POINTER.format("device")),
    "array parameter": (
        "address-space",
        kernel("first(scratch); /*BAD*/", "inline float first(const float p[2]) { return p[0]; }"),
        kernel("float own[2];\nfirst(own);", "inline float first(const float p[2]) { return p[0]; }"),
    ),
    "array parameter for what is in device memory": (
        "address-space",
        kernel("first(&pairs[0].a); /*BAD*/", "inline float first(const float p[2]) { return p[0]; }"),
        kernel("Pair own;\nfirst(&own.a);", "inline float first(const float p[2]) { return p[0]; }"),
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
    "cast that stays in its space": (
        "address-space",
        "inline int f(thread float* p) { return *(int*)p; } /*BAD*/",
        "inline int f(thread float* p) { return *(thread int*)p; }",
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
    "declarations around comparisons and arrays": (
        "address-space",
        "template <int N, enable_if_t<(N < 4), bool> = true>\n"
        "inline float first(threadgroup float (&x)[N]) { return x[0]; }\n"
        + kernel("float own[2];\nfirst(own); /*BAD*/"),
        "template <int N, enable_if_t<(N < 4), bool> = true>\n"
        "inline float first(thread float (&x)[N]) { return x[0]; }\n" + kernel("float own[2];\nfirst(own);"),
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
}


@each(PAIRS)
def test_a_mistake_is_found_where_it_stands_and_its_clean_twin_passes(rule: str, bad: str, good: str) -> None:
    assert_found_and_clean(rule, bad, good)
