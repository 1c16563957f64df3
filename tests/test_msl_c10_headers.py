"""torch's own device headers compile unchanged, and compute what torch computes."""

import pytest
import torch
from exec_support import compile_kernels, msl

HEADERS = [
    "atomic",
    "common",
    "error",
    "expm1f",
    "igamma",
    "indexing",
    "random",
    "reduction_utils",
    "special_math",
    "utils",
]

SOURCE = (
    "".join(f"#include <c10/metal/{header}.h>\n" for header in HEADERS)
    + """
using namespace c10::metal;
struct halve_functor {
  template <typename T> inline T operator()(const T x) { return T(float(x) / 2); }
};
struct product_functor {
  template <typename T> inline T operator()(const T a, const T b) { return static_cast<T>(c10::metal::mul(a, b)); }
};
REGISTER_UNARY_OP(halve, float, float);
REGISTER_UNARY_OP(halve, bfloat, bfloat);
REGISTER_BINARY_OP(product, float, float);
REGISTER_BINARY_OP(product, float2, float2);

kernel void special(device float* out, constant float* in, uint i [[thread_position_in_grid]]) {
  float x = in[i];
  device float* o = out + i * 9;
  o[0] = c10::metal::erf(x);
  o[1] = c10::metal::log_gamma(x);
  o[2] = c10::metal::digamma(x);
  o[3] = c10::metal::i0(x);
  o[4] = c10::metal::i1(x);
  o[5] = c10::metal::bessel_j0_forward(x);
  o[6] = c10::metal::igamma(x, 2.0);
  o[7] = c10::metal::hypot(x, 3.0f);
  o[8] = c10::metal::log1p(x);
}
kernel void uniform(device float* out, constant long& seed, uint i [[thread_position_in_grid]]) {
  out[2 * i] = c10::metal::rand(seed, i);
  out[2 * i + 1] = c10::metal::randn(seed, i);
}
template <typename T>
kernel void reduce(device T* out, constant T* in, constant uint& n, uint t [[thread_position_in_threadgroup]],
                   uint size [[threads_per_threadgroup]]) {
  threadgroup opmath_t<T> data[simdgroup_size];
  threadgroup T extremes[simdgroup_size];
  T v = t < n ? in[t] : T(0);
  auto sum = c10::metal::threadgroup_sum(data, v, t, size);
  auto largest = c10::metal::threadgroup_max(extremes, v, t, size);
  if (t == 0) { out[0] = T(sum); out[1] = T(largest); }
}
#define REDUCE(T) template [[host_name("reduce_" #T)]] kernel void reduce<T>( \\
    device T*, constant T*, constant uint&, uint, uint);
REDUCE(float) REDUCE(half) REDUCE(bfloat) REDUCE(long) REDUCE(int)
kernel void argmax(device int* out, constant float* in, uint t [[thread_position_in_threadgroup]],
                   uint size [[threads_per_threadgroup]]) {
  threadgroup float data[simdgroup_size];
  threadgroup int indices[simdgroup_size];
  int r = c10::metal::threadgroup_argmax(data, indices, in[t], int(t), t, size);
  if (t == 0) out[0] = r;
}
template <typename T>
kernel void atomic_add(device AtomicType_t<T>* out, constant T* in, constant uint& bins, uint t [[thread_position_in_grid]]) {
  AtomicType<T>::atomic_add(out, t % bins, in[t]);
}
#define ATOMIC(T) template [[host_name("atomic_" #T)]] kernel void atomic_add<T>( \\
    device AtomicType_t<T>*, constant T*, constant uint&, uint);
ATOMIC(float) ATOMIC(half) ATOMIC(bfloat) ATOMIC(long) ATOMIC(uchar)
kernel void report(device ErrorMessages* errors, constant int* in, uint t [[thread_position_in_grid]]) {
  if (in[t] < 0) TORCH_REPORT_ERROR(errors, "negative at ", long(t));
}
"""
)


@pytest.fixture(scope="module")
def kernels() -> msl.Library:
    return compile_kernels(SOURCE, "c10.metal")


def test_special_functions(kernels: msl.Library) -> None:
    x = torch.rand(500) * 4 + 0.1
    out = torch.zeros(500, 9, device="mps")
    kernels["special"](out, x.to("mps"), threads=500)
    d = x.double()
    wanted = torch.stack(
        [
            d.erf(), d.lgamma(), d.digamma(), torch.special.i0(d), torch.special.i1(d), torch.special.bessel_j0(d),
            torch.special.gammainc(d, torch.tensor(2.0, dtype=torch.float64)), torch.hypot(d, torch.tensor(3.0).double()),
            d.log1p(),
        ],
        1,
    )  # fmt: skip
    torch.testing.assert_close(out.cpu().double(), wanted, rtol=2e-5, atol=2e-6)


def test_elementwise_kernels(kernels: msl.Library) -> None:
    x = torch.randn(1003)
    for dtype, name in ((torch.float32, "float"), (torch.bfloat16, "bfloat")):
        data = x.to(dtype)
        out = torch.zeros(1003, dtype=dtype, device="mps")
        kernels[f"halve_dense_{name}_{name}"](out, data.to("mps"), 1003, threads=251)
        assert torch.equal(out.cpu(), data / 2)
        out.zero_()
        kernels[f"halve_dense_scalar_{name}_{name}"](out, data.to("mps"), threads=1003)
        assert torch.equal(out.cpu(), data / 2)


def test_complex_products(kernels: msl.Library) -> None:
    name = next(
        n
        for n in kernels
        if n.startswith("product_dense_scalar_float2") or n == "product_dense_float2_float2"
    )
    a, b = torch.randn(100, dtype=torch.complex64), torch.randn(100, dtype=torch.complex64)
    out = torch.zeros(100, dtype=torch.complex64, device="mps")
    kernels[name](out, a.to("mps"), b.to("mps"), threads=100)
    torch.testing.assert_close(out.cpu(), a * b)


def test_random_numbers(kernels: msl.Library) -> None:
    out = torch.zeros(20000, 2, device="mps")
    kernels["uniform"](out, 1234, threads=20000)
    uniform, normal = out.cpu().unbind(1)
    assert ((uniform >= 0) & (uniform < 1)).all()
    assert abs(uniform.mean() - 0.5) < 0.01
    assert abs(normal.mean()) < 0.03
    assert abs(normal.std() - 1) < 0.03
    again = torch.zeros(20000, 2, device="mps")
    kernels["uniform"](again, 1234, threads=20000)
    assert torch.equal(out, again)


@pytest.mark.parametrize("size", [20, 64, 500, 1024])
@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("float", torch.float32),
        ("half", torch.float16),
        ("bfloat", torch.bfloat16),
        ("long", torch.int64),
        ("int", torch.int32),
    ],
)
def test_reductions(kernels: msl.Library, name: str, dtype: torch.dtype, size: int) -> None:
    if name == "long":
        # Its second stage shuffles with lanes that are absent, which Metal leaves undefined and the
        # simulator poisons; only one or 32 simdgroups have them all.
        size = 32 if size < 500 else 1024
    data = torch.randint(-3, 4, (size,)).to(dtype)
    out = torch.zeros(2, dtype=dtype, device="mps")
    kernels[f"reduce_{name}"](out, data.to("mps"), size, threadgroups=1, group_size=size)
    assert out.tolist() == [data.sum().item(), data.max().item()]


def test_argmax(kernels: msl.Library) -> None:
    data = torch.randperm(777).float()
    out = torch.zeros(1, dtype=torch.int32, device="mps")
    kernels["argmax"](out, data.to("mps"), threadgroups=1, group_size=777)
    assert out.item() == data.argmax()


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("float", torch.float32),
        ("half", torch.float16),
        ("bfloat", torch.bfloat16),
        ("long", torch.int64),
        ("uchar", torch.uint8),
    ],
)
def test_atomics(kernels: msl.Library, name: str, dtype: torch.dtype) -> None:
    data = torch.randint(0, 3, (500,)).to(dtype)
    out = torch.zeros(8, dtype=dtype, device="mps")  # whole words: small types exchange the word around them
    kernels[f"atomic_{name}"](out, data.to("mps"), 7, threads=500)
    wanted = torch.zeros(8, dtype=torch.float64).index_add(0, torch.arange(500) % 7, data.double())
    assert torch.equal(out.cpu().double(), wanted)


def test_error_reports(kernels: msl.Library) -> None:
    errors = torch.zeros(4 + 30 * (128 + 128 + 250 + 2 + 4), dtype=torch.uint8, device="mps")
    data = torch.tensor([1, -5, 3], dtype=torch.int32, device="mps")
    kernels["report"](errors, data, threads=3)
    raw = bytes(errors.cpu().numpy())
    assert int.from_bytes(raw[:4], "little") == 1
    assert raw[4:].split(b"\0")[0] == b"c10.metal"
    assert b"negative at 1\0" in raw
