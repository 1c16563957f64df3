"""Vectors, packed vectors and matrices: what their operators yield, how they convert, how they lie in memory."""

import pytest
import torch
from exec_support import compile_kernels, msl

INTEGERS = ["char", "uchar", "short", "ushort", "int", "uint", "long", "ulong"]
NUMBERS = [*INTEGERS, "half", "bfloat", "float"]
SIZES = dict(zip(["bool", *NUMBERS], [1, 1, 1, 2, 2, 4, 4, 8, 8, 2, 2, 4], strict=True))
SELECTIONS = ["xy", "wz", "bgr", "xxyy", "abgr", "zzz", "yw"]

LAYOUT = """
template <class T, int N> struct sizes { enum { size = sizeof(vec<T, N>), alignment = alignof(vec<T, N>) }; };
kernel void sizes_of(device uint* o) {
""" + "".join(
    f"  o[{9 * i + 3 * (n - 2)}] = sizeof({t}{n}); o[{9 * i + 3 * (n - 2) + 1}] = alignof({t}{n});"
    f" o[{9 * i + 3 * (n - 2) + 2}] = is_same_v<{t}{n}, vec<{t}, {n}>> && sizes<{t}, {n}>::size == sizeof({t}{n});\n"
    for i, t in enumerate(SIZES)
    for n in (2, 3, 4)
) + "}\nkernel void packed_sizes(device uint* o) {\n" + "".join(
    f"  o[{6 * i + 2 * (n - 2)}] = sizeof(packed_{t}{n}); o[{6 * i + 2 * (n - 2) + 1}] = alignof(packed_{t}{n});\n"
    for i, t in enumerate(NUMBERS)
    for n in (2, 3, 4)
) + "}\n"  # fmt: skip

SWIZZLES = "".join(
    f"kernel void swizzle_{t}(device {t}4* v, device packed_{t}4* p, device {t}* o) {{\n"
    + "".join(f"  {{ auto s = v[0].{s}; for (int i = 0; i < {len(s)}; ++i) *o++ = s[i]; }}\n" for s in SELECTIONS)
    + "".join(f"  {{ auto s = p[0].{s}; for (int i = 0; i < {len(s)}; ++i) *o++ = s[i]; }}\n" for s in SELECTIONS)
    + f"""
  v[1].xy = v[0].zw; v[1].ab = v[0].rg; v[1].zyx = v[1].xyz;
  p[1].xy = v[0].zw; p[1].ab = p[0].rg; p[1].zyx = p[1].xyz;
  v[2] = v[0]; v[2].xz += {t}(1); v[2].y = {t}(7); v[2][3] = {t}(8);
  p[2] = v[0]; p[2].xz += {t}(1); p[2].y = {t}(7); p[2][3] = {t}(8);
}}
"""
    for t in NUMBERS
)  # fmt: skip

OPERATORS = "".join(
    f"""
kernel void operators_{t}(device {t}4* o, device bool4* m, constant {t}4* in) {{
  {t}4 a = in[0], b = in[1];
  o[0] = a + b; o[1] = a - b; o[2] = a * b; o[3] = a / b; o[4] = -a; o[5] = +a; o[6] = a + {t}(2); o[7] = {t}(2) * a;
  o[8] = a; o[8] += b; o[8] *= {t}(2); o[8] -= a; o[8] /= b; o[9] = a; o[9]++; ++o[9]; o[9]--; --o[9];
  m[0] = a < b; m[1] = a <= b; m[2] = a > b; m[3] = a >= b; m[4] = a == b; m[5] = a != b; m[6] = !(a < b);
  m[7] = (a < b) && (a != b); m[8] = (a > b) || (a == b); m[9] = a > {t}(3); m[10] = (a < b) ^ (a != b);
  packed_{t}4 p = a, q = packed_{t}4(b);
  o[10] = p + q; o[11] = p * b; o[12] = {t}(2) * q; p -= q; o[13] = p; o[14] = p = -p; p = a; m[11] = p < q;
}}
"""
    for t in NUMBERS
) + "".join(
    f"""
kernel void bits_{t}(device {t}4* o, constant {t}4* in) {{
  {t}4 a = in[0], b = in[1];
  o[0] = a & b; o[1] = a | b; o[2] = a ^ b; o[3] = ~a; o[4] = a % b; o[5] = a << b; o[6] = a >> b; o[7] = a;
  o[7] &= b; o[7] |= {t}(16); o[7] ^= a; o[7] <<= {t}(1); o[7] >>= {t}(1); o[7] %= {t}(100);
}}
"""
    for t in INTEGERS
)  # fmt: skip

CONVERSIONS = """
constant float4 table[2] = {{1, 2, 3, 4}, float4(5)};
constant packed_float3 packed_table[2] = {packed_float3(1, 2, 3), {4, 5, 6}};
template <class T, int N> T total(vec<T, N> v) { T r = 0; for (int i = 0; i < N; ++i) r += v[i]; return r; }
float over(float4 v) { return v.w; }
bool4 less(float4 a, float4 b) { return a < b; }
kernel void conversions(device float* o) {
  float4 a = float4(1.5, -2.5, 3, 0);
  bool4 m = less(a, 0.0f);
  o[0] = float4(a < 0.0f).y; o[1] = int(m.y); o[2] = float(int4(m).x);       // true is 1
  o[3] = float4((int4)a).y; o[4] = ((float4)int4(7)).z;                      // casts convert
  o[5] = float4(int4(a)).x; o[6] = float4(half4(a)).y; o[7] = float(bool4(a).w);
  o[8] = float2(1) .y; float4 b = 2; o[9] = b.z; b = {1, 2, 3, 4}; o[10] = b.w;
  o[11] = float4(float2(1, 2), packed_half2(half(3))).w; o[12] = float4(1, float3(2, 3, 4)).z;
  o[13] = float4(a.xy, b.zw).w; o[14] = over(9.0f); o[15] = total(b); o[16] = total(b.xyz); o[17] = total(uchar3(100));
  o[18] = table[1].y + table[0].w; o[19] = packed_table[1].z; o[20] = as_type<float>(as_type<int4>(b).y);
  o[21] = float(as_type<half2>(as_type<uint>(half2(1.5, 2.5))).y); o[22] = float(half4(bfloat4(1.5)).z);
  o[23] = (a.x > 0 ? b : 0.0f).w; o[24] = float3(packed_char3(-5)).x; o[25] = float(packed_half3(float3(2.5)).y);
  o[26] = float(uchar4(250)[0] + uchar4(10)[0]); o[27] = float((uchar4(250) + uchar4(10)).x);
  o[28] = float((short2(1) << short2(17)).x); o[29] = metal::float2(3, 4).y; o[30] = any(bool3(0, 0, 1));
  o[31] = all(bool2(true, false)); o[32] = float4{1, 2}.z; o[33] = vec<half, 4>(half(3)).a;
  packed_vec<float, 2> p = packed_float2(b.zw); o[34] = p.y;
}
"""

SHAPES = [(c, r) for c in (2, 3, 4) for r in (2, 3, 4)]
MATRICES = "".join(
    f"""
kernel void matrix_{t}{c}x{r}(device {t}* o, constant {t}* in) {{
  {t}{c}x{r} a = {t}{c}x{r}({", ".join(f"in[{i}]" for i in range(c * r))});
  {t}{c}x{r} b = {t}{c}x{r}({", ".join(f"{t}{r}({', '.join(f'in[{r * i + j + 16}]' for j in range(r))})" for i in range(c))});
  {t}{r} v; for (int i = 0; i < {r}; ++i) v[i] = in[32 + i];
  {t}{c} w; for (int i = 0; i < {c}; ++i) w[i] = in[32 + i];
  {t}{c}x{r} results[] = {{a + b, a - b, -a, a * {t}(2), {t}(3) * b, {t}{c}x{r}({t}(5)), a, a,
                           a * transpose(b) * b, matrix<{t}, {c}, {r}>({"half" if t == "float" else "float"}{c}x{r}(b))}};
  results[6] += b; results[6] *= {t}(2); results[6] -= a; results[7][1] = results[7][0]; results[7][0][1] = {t}(9);
  for (int k = 0; k < 10; ++k) for (int i = 0; i < {c}; ++i) for (int j = 0; j < {r}; ++j) *o++ = results[k][i][j];
  {t}{r} x = a * w; for (int i = 0; i < {r}; ++i) *o++ = x[i];
  {t}{c} y = v * a; for (int i = 0; i < {c}; ++i) *o++ = y[i];
  *o++ = a == a; *o++ = a == b; *o++ = a != b; *o++ = sizeof(a); *o++ = alignof({t}{c}x{r});
  {"*o++ = determinant(a);" if c == r else ""}
}}
"""
    for t in ("half", "float")
    for c, r in SHAPES
)  # fmt: skip

SOURCE = LAYOUT + SWIZZLES + OPERATORS + CONVERSIONS + MATRICES


@pytest.fixture(scope="module")
def kernels() -> msl.Library:
    return compile_kernels(SOURCE, "vectors.metal")


def dtype_of(name: str) -> torch.dtype:
    other = {"half": torch.float16, "bfloat": torch.bfloat16, "float": torch.float32}
    return (
        other.get(name) or [torch.int8, torch.int16, torch.int32, torch.int64][SIZES[name].bit_length() - 1]
    )


def test_sizes_and_alignments(kernels: msl.Library) -> None:
    out = torch.zeros(len(SIZES), 3, 3, dtype=torch.int32, device="mps")
    kernels["sizes_of"](out, threads=1)
    for row, size in zip(out.tolist(), SIZES.values(), strict=True):
        assert row == [[2 * size, 2 * size, 1], [4 * size, 4 * size, 1], [4 * size, 4 * size, 1]]
    out = torch.zeros(len(NUMBERS), 3, 2, dtype=torch.int32, device="mps")
    kernels["packed_sizes"](out, threads=1)
    for row, name in zip(out.tolist(), NUMBERS, strict=True):
        assert row == [[n * SIZES[name], SIZES[name]] for n in (2, 3, 4)]


@pytest.mark.parametrize("name", NUMBERS)
def test_swizzles(kernels: msl.Library, name: str) -> None:
    base = [1, 2, 3, 4]
    vectors = torch.tensor([base, [0] * 4, [0] * 4], dtype=dtype_of(name), device="mps")
    packed = vectors.clone()
    out = torch.zeros(2, sum(map(len, SELECTIONS)), dtype=vectors.dtype, device="mps")
    kernels[f"swizzle_{name}"](vectors, packed, out, threads=1)
    wanted = [base["xyzwrgba".index(letter) % 4] for selection in SELECTIONS for letter in selection]
    assert out.tolist() == [wanted, wanted]
    assert vectors.tolist() == packed.tolist() == [base, [2, 4, 3, 1], [2, 7, 4, 8]]


def quotient(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a / b if a.dtype.is_floating_point else torch.div(a, b, rounding_mode="trunc")


@pytest.mark.parametrize("name", NUMBERS)
def test_operators(kernels: msl.Library, name: str) -> None:
    a = torch.tensor([7, 3, 2, 5], dtype=dtype_of(name))
    b = torch.tensor([2, 3, 6, 3], dtype=dtype_of(name))
    out = torch.zeros(15, 4, dtype=a.dtype, device="mps")
    masks = torch.zeros(12, 4, dtype=torch.bool, device="mps")
    kernels[f"operators_{name}"](out, masks, torch.stack([a, b]).to("mps"), threads=1)
    wanted = [a + b, a - b, a * b, quotient(a, b), -a, a, a + 2, 2 * a, quotient((a + b) * 2 - a, b), a]
    wanted += [a + b, a * b, 2 * b, a - b, b - a]
    assert torch.equal(out.cpu(), torch.stack(wanted))
    truths = [
        a < b,
        a <= b,
        a > b,
        a >= b,
        a == b,
        a != b,
        ~(a < b),
        a < b,
        a >= b,
        a > 3,
        (a < b) ^ (a != b),
    ]
    assert torch.equal(masks.cpu(), torch.stack([*truths, a < b]))
    assert masks.view(torch.uint8).max() <= 1


@pytest.mark.parametrize("name", INTEGERS)
def test_bit_operators(kernels: msl.Library, name: str) -> None:
    a = torch.tensor([7, 3, 100, 5], dtype=dtype_of(name))
    b = torch.tensor([2, 3, 6, SIZES[name] * 8 + 1], dtype=dtype_of(name))
    out = torch.zeros(8, 4, dtype=a.dtype, device="mps")
    kernels[f"bits_{name}"](out, torch.stack([a, b]).to("mps"), threads=1)
    shift = b % (8 * SIZES[name])
    last = ((a & b) | 16) ^ a
    kept = (last << 1) >> 1 if name == "char" else last  # in the others the highest bit is far away
    assert torch.equal(
        out.cpu(), torch.stack([a & b, a | b, a ^ b, ~a, a % b, a << shift, a >> shift, kept.fmod(100)])
    )


def test_conversions(kernels: msl.Library) -> None:
    out = torch.zeros(35, device="mps")
    kernels["conversions"](out, threads=1)
    assert out.tolist() == [
        1, 1, 0, -2, 7, 1, -2.5, 0, 1, 2, 4, 3, 3, 4, 9, 10, 6, 44, 9, 6, 2, 2.5, 1.5, 4, -5, 2.5, 260, 4, 2, 4,
        1, 0, 0, 3, 4,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("float4 a = int4(1);", "no viable conversion"),
        ("float4 a = float4(1, 2);", "one value for each element"),
        ("float4 a = float4(1, 2, 3, 4, 5);", "one value for each element"),
        ("float4 a = float4(float3(1));", "vectors of different sizes"),
        ("float4 a = 1.0f; a.xx = float2(1);", "must not repeat a component"),
        ("float3 a = 1.0f; a.w = 1;", "no member named 'w'"),
        ("float4 a = float4(1) + float3(1);", "invalid operands"),
        ("float4 a = float4(1) + int4(1);", "invalid operands"),
        ("float4 a = float4(1) & float4(1);", "invalid operands"),
        ("float2x3 a; float2x2 b = a * a;", "invalid operands|no viable conversion"),
        ("matrix<int, 2, 2> a;", "matrices are of half or float"),
        ("float3x3 a = float3x3(1, 2);", "one value for each column or element"),
        ("float a = determinant(float2x3(1));", "no matching function"),
    ],
)
def test_what_does_not_compile(statement: str, what: str) -> None:
    with pytest.raises(msl.CompileError, match=what):
        compile_kernels(f"kernel void f(device float* o) {{ {statement} }}", "wrong.metal")


@pytest.mark.parametrize(("columns", "rows"), SHAPES)
@pytest.mark.parametrize("name", ["half", "float"])
def test_matrices(kernels: msl.Library, name: str, columns: int, rows: int) -> None:
    values = torch.randint(-4, 5, (48,), generator=torch.Generator().manual_seed(columns * 8 + rows))
    size = columns * rows
    a = values[:size].view(columns, rows).double()
    b = values[16 : 16 + size].view(columns, rows).double()
    v, w = values[32 : 32 + rows].double(), values[32 : 32 + columns].double()
    changed = a.clone()
    changed[1] = a[0]
    changed[0, 1] = 9
    diagonal = 5 * torch.eye(columns, rows, dtype=torch.float64)
    results = [a + b, a - b, -a, 2 * a, 3 * b, diagonal, 2 * (a + b) - a, changed, b @ b.T @ a, b]
    element = 2 if name == "half" else 4
    column = element * (4 if rows == 3 else rows)
    tail = [a.T @ w, a @ v, torch.tensor([1.0, a.equal(b), not a.equal(b), columns * column, column])]
    if columns == rows:
        tail.append(torch.linalg.det(a).round().reshape(1))
    wanted = torch.cat([*(r.flatten() for r in results), *(t.double() for t in tail)])
    out = torch.zeros(len(wanted), dtype=dtype_of(name), device="mps")
    kernels[f"matrix_{name}{columns}x{rows}"](out, values.to(dtype_of(name)).to("mps"), threads=1)
    assert torch.equal(out.cpu().double(), wanted)
