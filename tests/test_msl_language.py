"""What the language of kernels has beyond C++, or clang's C++ beside it: written down, compiled, run."""

from pathlib import Path

import pytest
import torch
from exec_support import SCHEDULES, compile_kernels, msl, schedule

SOURCE = """
kernel void casts(device float4* o, device half4* h, device int4* n, device bfloat* b) {
  o[0] = (float4)h[0] * 2;
  o[1] = -(float4)n[0];
  o[2] = 12 / (float4)n[0];
  o[3] = (float4)(half4)(n[0] + 1);
  n[1] = (int4)(uchar4)n[0].wzyx;
  o[4] = float4((float3)n[0].xyz, (float)n[0].w);
  b[0] = (bfloat)h[0].y;
  h[1].x = (half)b[0] + (half)0.5;
  o[5] = (float4)1.5;
}
template <typename T, typename V>
kernel void dependent_casts(device T* o, device V* v) {
  o[0] = (T)v[0];
  o[1] = 2 * (T)(v[0] + v[0]);
}
template [[host_name("dependent_casts_float4")]] kernel void dependent_casts(device float4*, device half4*);
template [[host_name("dependent_casts_int")]] kernel void dependent_casts<int, float>(device int*, device float*);

kernel void braces(device float4* o) {
  float2 pair = {1, 2};
  float4 a{1, 2, 3, 4}, b(pair, 3, 4), c = {pair, pair};
  const float4 d(0.5);
  uint4 e = {1, 2, 3};
  o[0] = a;
  o[1] = b;
  o[2] = c;
  o[3] = float4{pair, 5, 6} + d;
  o[4] = float4(e);
}
kernel void literals(device float* o, device ulong* u) {
  o[0] = 1.5h + 2.5H;
  o[1] = 1.0bf + 0.5BF;
  o[2] = 0x1.8p3 + 0x1p-2f;
  o[3] = 1e3 + .5 + 1. + 2.f + 1'000;
  o[4] = sizeof(1.0);
  o[5] = 0b101;
  u[0] = 0xffffffffffffffffUL - 1;
  u[1] = 1ull << 40;
}

struct Point {
  float x;
  float get() const device { return x; }
  float get() const thread { return x; }
  float get() const threadgroup { return x; }
  float get() const constant { return x; }
  void set(float v) device { x = v; }
  void set(float v) thread { x = v; }
};
struct Pair {
  float r, i;
  constexpr Pair() thread : r(0), i(0) {}
  constexpr Pair() threadgroup : r(0), i(0) {}
  constexpr Pair(float a) thread : r(a), i(1) {}
  constexpr Pair(float a) constant : r(a), i(1) {}
  thread Pair& operator=(float a) thread { r = a; return *this; }
  device Pair& operator=(float a) device { r = a; return *this; }
  Pair operator*(Pair o) const { Pair p; p.r = r * o.r - i * o.i; p.i = r * o.i + i * o.r; return p; }
};
inline thread Pair& operator+=(thread Pair& a, Pair b) { a.r += b.r; a.i += b.i; return a; }
inline threadgroup Pair& operator+=(threadgroup Pair& a, Pair b) { a.r += b.r; a.i += b.i; return a; }
inline device Pair& operator+=(device Pair& left, Pair b) { left.r += b.r; left.i += b.i; return left; }
inline float first(const device float* p) { return p[0]; }
inline float first(threadgroup const float* values) { return values[0]; }
inline float first(constant float* p) { return p[0]; }
inline float first(thread float* p) { return p[0] + 100; }
template <typename T> struct Pointee {};
template <typename T> struct Pointee<device T*> { using type = remove_cv_t<T>; };
template <typename T> struct Pointee<constant T*> { using type = remove_cv_t<T>; };
template <typename T> struct Pointee<thread T*> { using type = remove_cv_t<T>; };
template <typename T> struct Pointee<threadgroup T*> { using type = remove_cv_t<T>; };
constant Pair kPair(5);

kernel void spaces(device float* o, device Point* p, constant Point& c, device Pair* q, device const float* f) {
  threadgroup float shared[2];
  shared[0] = 3;
  float own[1] = {4};
  p->set(7);
  Point local;
  local.set(1);
  o[0] = p->get() + c.get() + local.get();
  q[0] = 2;
  q[0].i = 3;
  q[0] += Pair(1);
  o[1] = q[0].r + 10 * q[0].i;
  o[2] = first(f) + first((threadgroup const float*)shared) + first(own);
  o[3] = sizeof(typename Pointee<device half*>::type) + sizeof(Pointee<constant float*>::type);
  Pair product = Pair(2) * kPair;
  product += Pair(1);
  o[4] = product.r + 10 * product.i;
}

constant constexpr int kCount = 4;
template <typename T, int N>
kernel void shared_memory(device T* o, threadgroup char* raw [[threadgroup(0)]],
                          uint i [[thread_position_in_threadgroup]], uint n [[threads_per_threadgroup]]) {
  struct Cell { T value; int index[2]; };
  threadgroup Cell cells[N];
  alignas(16) threadgroup char bytes[N * sizeof(T)];
  volatile threadgroup T loud[N];
  threadgroup static T quiet[N], single, table[N][kCount];
  threadgroup T* floats = (threadgroup T*)bytes;
  threadgroup T (*rows)[2] = (threadgroup T(*)[2])raw;
  threadgroup T& alias = single;
  for (int round = 0; round < 2; ++round) {
    threadgroup T inner[N];
    inner[i] = T(i + round);
    if (i == 0) alias = T(round);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (round == 0) cells[i].value = T(0);
    cells[i].value += inner[n - 1 - i] + single;
    threadgroup_barrier(mem_flags::mem_threadgroup | mem_flags::mem_device);
  }
  floats[i] = cells[i].value;
  loud[i] = T(1);
  quiet[i] = T(2);
  table[i][1] = T(3);
  rows[i][1] = T(4);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  const uint other = (i + 1) % n;
  o[i] = floats[other] + loud[other] * T(10) + quiet[other] * T(100) + table[other][1] * T(1000) + rows[other][1] * T(10000);
  o[n + i] = T((ulong)bytes % 16);
}
template [[host_name("shared_memory_float")]] [[kernel]] decltype(shared_memory<float, 8>) shared_memory<float, 8>;
template [[host_name("shared_memory_int")]] kernel void shared_memory<int, 8>(
    device int*, threadgroup char* raw [[threadgroup(0)]], uint, uint);

enum class Mode : uchar { kOff, kOn = 4 };
union Bits { float value; uint bits; };
struct Fields { uint a : 3; uint b : 5; int c : 24; };
struct Entry { float scale; int index[2]; };
constant Entry entries[] = {{1.5, {1, 2}}, {2.5, {3, 4}}};
template <typename T> struct Limit { static constant constexpr T value = T(6); };
template <typename... A> METAL_FUNC float sum(A... a) { return (float(a) + ...); }
template <float (*F)(float)> float apply(float x) { return F(x); }
static inline __attribute__((always_inline)) float square(float x) { return x * x; }
template <int N> inline float chosen() { if constexpr (N > 1) { return 1; } else { return 2; } }
static_assert(sizeof(Entry) == 12);
namespace a::b { constant int deep = 9; }
kernel void declarations(device float* o, volatile coherent(device) device uint* counter, device const volatile float* in) {
  Bits bits;
  bits.value = 1;
  Fields fields;
  fields.a = 9;
  fields.b = 31;
  Mode mode = Mode::kOn;
  auto lambda = [&](float x) { return x + in[0]; };
  o[0] = bits.bits == 0x3f800000;
  o[1] = fields.a + fields.b;
  o[2] = float(mode);
  o[3] = entries[1].scale + entries[1].index[1] + Limit<half>::value;
  o[4] = sum(1, 2.0f, 3u) + apply<square>(3);
  o[5] = lambda(2) + chosen<2>() + chosen<1>() + a::b::deep;
  counter[0] = 3;
  #pragma unroll(4)
  for (int k = 0; k < 4; ++k) o[6] += 1;
  _Pragma("clang loop unroll(full)") for (int k = 0; k < 4; ++k) o[6] += 1;
  [[clang::unroll]] for (int k = 0; k < 4; ++k) o[6] += 1;
  o[7] = __METAL_VERSION__;
}
extern "C" { kernel void in_extern(device float* o) { o[0] = 1; } }
static kernel void is_static(device float* o) { o[0] = 2; }
kernel void first_attribute([[buffer(1)]] device float* o, uint [[thread_position_in_grid]] i [[maybe_unused]],
                            device float (&row)[2] [[buffer(0), maybe_unused]]) { o[i] = row[1]; }
"""


@pytest.fixture(scope="module")
def kernels() -> msl.Library:
    return compile_kernels(SOURCE, "language.metal")


def test_casts(kernels: msl.Library) -> None:
    o = torch.zeros(6, 4, device="mps")
    h = torch.tensor([[1.5, 2.5, 3.5, 4.5], [0, 0, 0, 0]], dtype=torch.float16, device="mps")
    n = torch.tensor([[1, 2, 3, 260], [0, 0, 0, 0]], dtype=torch.int32, device="mps")
    b = torch.zeros(1, dtype=torch.bfloat16, device="mps")
    kernels["casts"](o, h, n, b, threads=1)
    wanted = torch.tensor(
        [[3, 5, 7, 9], [-1, -2, -3, -260], [12, 6, 4, 12 / 260], [2, 3, 4, 261], [1, 2, 3, 260], [1.5] * 4]
    )
    assert torch.equal(o.cpu()[:, :3], wanted[:, :3])
    assert torch.allclose(o.cpu()[:, 3], wanted[:, 3], rtol=1e-3)  # 261 is no half
    assert n[1].tolist() == [4, 3, 2, 1]
    assert b.item() == 2.5
    assert h[1, 0].item() == 3
    for name, kind, source in (("float4", torch.float32, torch.float16), ("int", torch.int32, torch.float32)):
        out = torch.zeros(8, dtype=kind, device="mps")
        kernels[f"dependent_casts_{name}"](out, torch.full((4,), 1.75, dtype=source, device="mps"), threads=1)
        wanted = [1.75] * 4 + [7] * 4 if name == "float4" else [1, 6] + [0] * 6
        assert out.tolist() == wanted


def test_braces(kernels: msl.Library) -> None:
    o = torch.zeros(5, 4, device="mps")
    kernels["braces"](o, threads=1)
    assert o.tolist() == [[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 1, 2], [1.5, 2.5, 5.5, 6.5], [1, 2, 3, 0]]


def test_literals(kernels: msl.Library) -> None:
    o = torch.zeros(6, device="mps")
    u = torch.zeros(2, dtype=torch.int64, device="mps")
    kernels["literals"](o, u, threads=1)
    assert o.tolist() == [4, 1.5, 12.25, 2003.5, 4, 5]
    assert u.tolist() == [-2, 1 << 40]


def test_functions_that_differ_in_address_spaces(kernels: msl.Library) -> None:
    """In C++ they are one, whichever comes first."""
    o = torch.zeros(5, device="mps")
    p = torch.zeros(1, device="mps")
    q = torch.zeros(2, device="mps")
    kernels["spaces"](o, p, 2.0, q, torch.tensor([5.0], device="mps"), threads=1)
    assert o.tolist() == [7 + 2 + 1, 3 + 40, 5 + 3 + 104, 2 + 4, (10 - 1 + 1) + 10 * (2 + 5 + 1)]


@pytest.mark.parametrize("order", SCHEDULES)
@pytest.mark.parametrize("kind", ["float", "int"])
def test_threadgroup_variables(kernels: msl.Library, kind: str, order: str) -> None:
    dtype = torch.float32 if kind == "float" else torch.int32
    out = torch.zeros(2, 8, dtype=dtype, device="mps")
    with schedule(order):
        kernels[f"shared_memory_{kind}"](out, msl.ThreadgroupMemory(64), threads=8, group_size=8)
    cells = [(7 - i) + (8 - i) + 1 for i in range(8)]
    assert out[0].tolist() == [cells[(i + 1) % 8] + 10 + 200 + 3000 + 40000 for i in range(8)]
    assert (out[1] == 0).all()


def test_declarations(kernels: msl.Library) -> None:
    o = torch.zeros(8, device="mps")
    counter = torch.zeros(1, dtype=torch.int32, device="mps")
    kernels["declarations"](o, counter, torch.tensor([0.5], device="mps"), threads=1)
    assert o.tolist() == [1, 1 + 31, 4, 2.5 + 4 + 6, 6 + 9, 2.5 + 1 + 2 + 9, 12, 310]
    assert counter.item() == 3


def test_where_kernels_stand(kernels: msl.Library) -> None:
    o = torch.zeros(2, device="mps")
    kernels["in_extern"](o, threads=1)
    kernels["is_static"](o[1:], threads=1)
    assert o.tolist() == [1, 2]
    kernels["first_attribute"](o, o, threads=2)
    assert o.tolist() == [2, 2]


def test_ptx(tmp_path: Path) -> None:
    from test_msl_ptx import compiled, ptx

    ptx.assemble(compiled(SOURCE, tmp_path))


OUT_OF_SCOPE = {
    "kernel void f(device int* o,\n texture2d<float> t [[texture(0)]]) {}": "2: error: texture: textures and samplers are",
    "kernel void f(device int* o, sampler s [[sampler(0)]]) {}": "1: error: sampler: textures and samplers are",
    "kernel void f(device int* o, float4 v [[stage_in]]) {}": "1: error: stage_in: graphics stages are",
    "struct V { float4 p [[position]]; };\nvertex V v(uint i [[vertex_id]]) { return V(); }": "2: error: vertex: graphics stages are",
    "[[fragment]] float4 v() { return 1; }": "1: error: fragment: graphics stages are",
    "[[visible]] float g(float x) { return x; }": "1: error: visible: ray tracing and visible functions are",
    "[[mesh]] void g() {}": "1: error: mesh: mesh and object functions are",
    "kernel void f(device int* o,\n\n array<device float*, 4> b [[buffer(1)]]) {}": "3: error: kernel parameter 'b': arrays of buffers are",
    "struct C { half4 c; };\nkernel void f(imageblock<C> b, device int* o) {}": "2: error: imageblock: imageblocks are",
}


@pytest.mark.parametrize("source", OUT_OF_SCOPE)
def test_out_of_scope(source: str) -> None:
    with pytest.raises(msl.TranslateError) as caught:
        compile_kernels(source, "bad.metal")
    assert str(caught.value) == f"bad.metal:{OUT_OF_SCOPE[source]} out of scope of the simulator"


def test_names_of_attributes_are_names_elsewhere() -> None:
    source = "kernel void f(device float* o) { float sampler = 1, vertex = 2, mesh = 3; o[0] = sampler + vertex + mesh; }"
    out = torch.zeros(1, device="mps")
    compile_kernels(source, "names.metal")["f"](out, threads=1)
    assert out.item() == 6
