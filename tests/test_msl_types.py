"""Vectors, conversions, rounding and literals as the kernel language defines them."""

import pytest
import torch
from exec_support import compile_kernels, msl

SOURCE = """
#define F device float* o, constant float* in
kernel void constructors(device float* o) {
  float2 a = float2(1, 2);
  float3 b = float3(a, 3);
  float4 c = float4(0, b);
  float4 d = float4(a.yx, a);
  float4 e = float4(7);
  half2 h = half2(a);
  int2 n = int2(float2(1.9, -1.9));
  uint2 u = uint2(ulong(1) << 33 | 5, 6);
  bool2 t = bool2(0.5, 0);
  float2 f = float2(t);
  bfloat2 g = bfloat2(1.00390625, 3);
  packed_float3 p = packed_float3(b);
  float values[] = {b.z, c.x, c.w, d.x, d.w, e.z, float(h.y), float(n.x), float(n.y), float(u.x), f.x, f.y,
                    float(g.x), p[2], p.x, float(sizeof(p)), float(sizeof(b)), float(sizeof(half3))};
  for (uint i = 0; i < 18; ++i) o[i] = values[i];
}
template <typename T>
T pair_of(float x, float y) { return T(x, y); }
template <typename T, typename U>
T converted(U x) { return static_cast<T>(x); }
kernel void generic(device float* o) {
  float2 a = pair_of<float2>(1, 2);
  half2 h = pair_of<half2>(3, 4);
  float2 b = converted<float2>(h);
  float2 c = converted<float2>(int2(5, 6));
  o[0] = a.x; o[1] = a.y; o[2] = b.x; o[3] = b.y; o[4] = c.x; o[5] = c.y;
  o[6] = float(converted<bfloat>(half(1.5))); o[7] = float(half(bfloat(2.5)));
  o[8] = converted<float>(true); o[9] = vec<float, 2>(8, 9).y; o[10] = metal::float2(3, 4).x;
}
kernel void swizzles(device float* o) {
  float4 v = float4(1, 2, 3, 4);
  v.xy = v.zw;
  v.w *= 2;
  v.rgb = v.bgr;
  float4 w = v.wzyx;
  for (uint i = 0; i < 4; ++i) { o[i] = v[i]; o[4 + i] = w[i]; }
}
kernel void vector_operators(device float* o) {
  float2 a = float2(1, 2), b = float2(2, 2);
  o[0] = any(a == b); o[1] = all(a == b); o[2] = all(a <= b);
  float2 s = select(a, b, a < b);
  o[3] = s.x; o[4] = s.y;
  o[5] = dot(a, b); o[6] = length(float2(3, 4)); o[7] = max(a, b).x; o[8] = clamp(a, 0.0, 1.5).y;
  float3 c = cross(float3(1, 0, 0), float3(0, 1, 0));
  o[9] = c.z; o[10] = fma(a, b, a).y; o[11] = (2 * a + 1).x; o[12] = any(isnan(a / 0 - a / 0));
}
// 1/3 and 1e-8 differ in float and double: sums of literals must be computed in float.
kernel void literals(device float* o) {
  o[0] = 16777216.0 + 1.0 + 1.0;
  o[1] = 1.0 + 1e-8 - 1.0;
  o[2] = 0x1.8p3;
  o[3] = float(1.5h); o[4] = .5; o[5] = 1e2; o[6] = 3.; o[7] = 2e-1f * 5;
  o[8] = sizeof(1.0); o[9] = float(2048.0h + 1.0h); o[10] = 0xep1f;
}
// Each operation on half and bfloat rounds: the sums of float would differ.
kernel void half_rounds(device half* o, constant half* in, uint i [[thread_position_in_grid]]) {
  half a = in[2 * i], b = in[2 * i + 1];
  o[3 * i] = a * b + a;
  o[3 * i + 1] = a / b - b;
  o[3 * i + 2] = (a + b) * (a - b);
}
kernel void bfloat_rounds(device bfloat* o, constant bfloat* in, uint i [[thread_position_in_grid]]) {
  bfloat a = in[2 * i], b = in[2 * i + 1];
  o[3 * i] = a * b + a;
  o[3 * i + 1] = a / b - b;
  o[3 * i + 2] = (a + b) * (a - b);
}
kernel void float_does_not_contract(F, uint i [[thread_position_in_grid]]) {
  o[i] = in[2 * i] * in[2 * i + 1] + in[2 * i];
}
kernel void from_float(device half* h, device bfloat* b, constant float* in, uint i [[thread_position_in_grid]]) {
  h[i] = half(in[i]);
  b[i] = bfloat(in[i]);
}
kernel void to_float(device float* o, device const half* h, device const bfloat* b, uint i [[thread_position_in_grid]]) {
  o[2 * i] = float(h[i]);
  o[2 * i + 1] = float(b[i]);
}
kernel void bits(device uint* o) {
  o[0] = as_type<uint>(1.0f); o[1] = as_type<ushort>(half(1)); o[2] = as_type<uint>(as_type<float>(0x40490fdbu));
  o[3] = as_type<uint2>(1ul << 32).y; o[4] = as_type<ushort>(bfloat(1));
  o[5] = sizeof(long); o[6] = sizeof(bool); o[7] = sizeof(char); o[8] = int(char(200)) + 256;
}
kernel void integers(device int* o) {
  o[0] = clz(1u); o[1] = clz(0u); o[2] = ctz(8u); o[3] = popcount(255u); o[4] = clz(uchar(1)); o[5] = ctz(0ul);
  o[6] = mulhi(1u << 31, 6u); o[7] = rotate(0x80000001u, 1u); o[8] = addsat(uchar(250), uchar(10));
  o[9] = subsat(3u, 5u); o[10] = absdiff(-3, 4); o[11] = extract_bits(0xabcdu, 4, 8); o[12] = insert_bits(0u, 5u, 4, 8);
  o[13] = hadd(3, 4); o[14] = rhadd(3, 4); o[15] = reverse_bits(uchar(1)); o[16] = abs(-5); o[17] = clamp(9, 1, 5);
  o[18] = min(-1, 1); o[19] = max(1u, 2u); o[20] = madsat(char(100), char(2), char(0)); o[21] = popcount(uchar4(255)).w;
  o[22] = mul24(5, -3); o[23] = median3(3, 1, 2); o[24] = int(mulhi(-1l, 1l)); o[25] = addsat(short(32000), short(1000));
}
kernel void limits(device float* o) {
  o[0] = numeric_limits<float>::max(); o[1] = numeric_limits<float>::infinity(); o[2] = float(numeric_limits<half>::max());
  o[3] = float(numeric_limits<bfloat>::lowest()); o[4] = numeric_limits<char>::lowest(); o[5] = isnan(numeric_limits<float>::quiet_NaN());
  o[6] = numeric_limits<ulong>::max() == 0xffffffffffffffff; o[7] = float(numeric_limits<half>::epsilon()); o[8] = INFINITY > FLT_MAX;
  o[9] = is_same_v<conditional_t<true, half, float>, half>; o[10] = is_floating_point_v<bfloat> && is_integral_v<long> && !is_integral_v<half>;
  o[11] = isnan(NAN); o[12] = is_signed_v<char> && is_unsigned_v<uint> && is_same_v<make_unsigned_t<int>, uint>;
}
"""


@pytest.fixture(scope="module", params=[False, True], ids=["fast", "checked"])
def kernels(request: pytest.FixtureRequest) -> msl.Library:
    return compile_kernels(SOURCE, "types.metal", checked=request.param)


def values(kernels: msl.Library, name: str, count: int, dtype: torch.dtype = torch.float32) -> list[float]:
    out = torch.zeros(count, dtype=dtype, device="mps")
    kernels[name](out, threads=1)
    return out.tolist()


def test_constructors(kernels: msl.Library) -> None:
    got = values(kernels, "constructors", 18)
    assert got == [3, 0, 3, 2, 2, 7, 2, 1, -1, 5, 1, 0, 1.0, 3, 1, 12, 16, 8]


def test_constructors_and_casts_of_dependent_types(kernels: msl.Library) -> None:
    assert values(kernels, "generic", 11) == [1, 2, 3, 4, 5, 6, 1.5, 2.5, 1, 9, 3]


def test_swizzles(kernels: msl.Library) -> None:
    assert values(kernels, "swizzles", 8) == [3, 4, 3, 8, 8, 3, 4, 3]


def test_vector_operators(kernels: msl.Library) -> None:
    assert values(kernels, "vector_operators", 13) == [1, 0, 1, 2, 2, 6, 5, 2, 1.5, 1, 6, 3, 1]


def test_literals_are_float(kernels: msl.Library) -> None:
    fifth = torch.tensor(0.2).mul(5).item()
    assert values(kernels, "literals", 11) == [16777216, 0, 12, 1.5, 0.5, 100, 3, fifth, 4, 2048, 28]


@pytest.mark.parametrize(
    ("name", "dtype"), [("half_rounds", torch.float16), ("bfloat_rounds", torch.bfloat16)]
)
def test_every_operation_rounds(kernels: msl.Library, name: str, dtype: torch.dtype) -> None:
    pairs = torch.randn(4000, 2).to(dtype)
    out = torch.zeros(4000, 3, dtype=dtype, device="mps")
    kernels[name](out, pairs.to("mps"), threads=4000)
    a, b = pairs[:, 0], pairs[:, 1]
    assert torch.equal(out.cpu(), torch.stack([a * b + a, a / b - b, (a + b) * (a - b)], 1))


def test_float_does_not_contract(kernels: msl.Library) -> None:
    pairs = torch.randn(4000, 2)
    out = torch.zeros(4000, device="mps")
    kernels["float_does_not_contract"](out, pairs.to("mps"), threads=4000)
    assert torch.equal(out.cpu(), pairs[:, 0] * pairs[:, 1] + pairs[:, 0])


def test_conversions_from_float_round_to_nearest_even(kernels: msl.Library) -> None:
    bits = torch.randint(-(2**31), 2**31, (200_000,), dtype=torch.int64).to(torch.int32)
    special = torch.tensor(
        [0.0, -0.0, 65504.0, 65519.9, 65520.0, 2**-24, 2**-25, 1.5 * 2**-24, 3e38, 3.4e38, 1e-45]
    )
    exact = torch.arange(2**16, dtype=torch.int32).to(torch.int16)
    data = torch.cat([bits.view(torch.float32), special, exact.view(torch.float16).float() * 1.00048828125])
    data[data.isnan()] = float("nan")
    half = torch.zeros(len(data), dtype=torch.float16, device="mps")
    bfloat = torch.zeros(len(data), dtype=torch.bfloat16, device="mps")
    kernels["from_float"](half, bfloat, data.to("mps"), threads=len(data))
    torch.testing.assert_close(half.cpu(), data.half(), rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(bfloat.cpu(), data.bfloat16(), rtol=0, atol=0, equal_nan=True)


def test_conversions_to_float_are_exact(kernels: msl.Library) -> None:
    every = torch.arange(2**16, dtype=torch.int32).to(torch.int16)
    half, bfloat = every.view(torch.float16), every.view(torch.bfloat16)
    out = torch.zeros(2**16, 2, device="mps")
    kernels["to_float"](out, half.to("mps"), bfloat.to("mps"), threads=2**16)
    torch.testing.assert_close(out[:, 0].cpu(), half.float(), rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(out[:, 1].cpu(), bfloat.float(), rtol=0, atol=0, equal_nan=True)


def test_bits_and_sizes(kernels: msl.Library) -> None:
    wanted = [0x3F800000, 0x3C00, 0x40490FDB, 1, 0x3F80, 8, 1, 1, 200]
    assert values(kernels, "bits", 9, torch.int32) == wanted


def test_integer_functions(kernels: msl.Library) -> None:
    assert values(kernels, "integers", 26, torch.int32) == [
        31, 32, 3, 8, 7, 64, 3, 3, 255, 0, 7, 0xBC, 0x50, 3, 4, 128, 5, 5, -1, 2, 127, 8, -15, 2, -1, 32767,
    ]  # fmt: skip


def test_limits_and_traits(kernels: msl.Library) -> None:
    got = values(kernels, "limits", 13)
    assert got[:5] == [
        torch.finfo(torch.float32).max,
        float("inf"),
        65504,
        torch.finfo(torch.bfloat16).min,
        -128,
    ]
    assert got[5:] == [1, 1, 2**-10, 1, 1, 1, 1, 1]
