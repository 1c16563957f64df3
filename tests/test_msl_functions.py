"""Functions of half, float and their vectors: those that test_msl_math.py leaves out, and vectors of every size."""

import math

import pytest
import torch
from exec_support import compile_kernels, msl
from test_msl_math import BINARY, NOT_PRECISE, UNARY

TYPES = {"half": torch.float16, "float": torch.float32}
TERNARY = ["clamp", "fma", "fmax3", "fmedian3", "fmin3", "max3", "median3", "min3", "mix", "smoothstep"]
MORE_BINARY = ["nextafter"]
VARIANTS = ["", "precise::", "fast::"]
SCOPES = {"": "metal::", "precise::": "precise::", "fast::": "fast::"}


def calls(variant: str) -> list[str]:
    """A call of every function, of operands a, b and c."""
    unary = [*UNARY, "abs"]
    binary = [*BINARY, *MORE_BINARY]
    scope = SCOPES[variant]
    return [
        *(f"{scope}{name}(a)" for name in unary),
        *(f"{scope}{name}({'fabs(a)' if name.startswith('pow') else 'a'}, b)" for name in binary),
        *(f"{scope}{name}(a, b, c)" for name in TERNARY),
    ]


def lanes(n: int, call: str) -> str:
    """The call for each element alone."""
    return ", ".join(
        call.replace("(a", f"(a[{i}]").replace(" b", f" b[{i}]").replace(" c", f" c[{i}]") for i in range(n)
    )


# A vector function yields what its elements yield, bit for bit; NaN is like NaN.
VECTORS = "".join(
    f"kernel void vectors_{t}{n}_{variant[:-2]}(device uint* o, constant {t}* x, uint i [[thread_position_in_grid]]) {{\n"
    f"  {t}{n} a, b, c; for (int j = 0; j < {n}; ++j) {{ a[j] = x[i + j]; b[j] = x[i + j + 7]; c[j] = x[i + j + 19]; }}\n"
    f"  device uint* r = o + 64 * i;\n"
    + "".join(
        f"  {{ {t}{n} v = {call}, w = {t}{n}({lanes(n, call)}); *r++ = all((v == w) || (isnan(v) && isnan(w))); }}\n"
        for call in calls(variant)
    )
    + f"""
  {{ {scope} {t}{n} s, t; int{n} e; {t}{n} v = sincos(a, s); bool ok = true;
     for (int j = 0; j < {n}; ++j) {{ {t} y; ok = ok && v[j] == sincos(a[j], y) && s[j] == y; }} *r++ = ok; ok = true;
     v = modf(a, s); for (int j = 0; j < {n}; ++j) {{ {t} y; ok = ok && v[j] == modf(a[j], y) && s[j] == y; }} *r++ = ok;
     ok = true; v = frexp(a, e); t = ldexp(a, e); int{n} g = ilogb(a);
     for (int j = 0; j < {n}; ++j) {{
       int k; ok = ok && v[j] == frexp(a[j], k) && e[j] == k && t[j] == ldexp(a[j], k) && g[j] == ilogb(a[j]);
     }} *r++ = ok; }}
}}
"""
    for t in TYPES
    for n in (2, 3, 4)
    for variant in VARIANTS
    if variant == "" or t == "float"
    for scope in [f"using namespace {SCOPES[variant][:-2]};" if False else ""]
)  # fmt: skip

SCALARS = "".join(
    f"""
kernel void ternary_{t}(device {t}* o, constant {t}* x, uint i [[thread_position_in_grid]]) {{
  {t} a = x[3 * i], b = x[3 * i + 1], c = x[3 * i + 2];
  device {t}* r = o + {len(TERNARY)} * i; {" ".join(f"*r++ = {name}(a, b, c);" for name in TERNARY)}
}}
kernel void next_{t}(device {t}* o, constant {t}* x, uint i [[thread_position_in_grid]]) {{
  o[i] = nextafter(x[2 * i], x[2 * i + 1]);
}}
kernel void parts_{t}(device float* o, constant {t}* x, uint i [[thread_position_in_grid]]) {{
  {t} whole, cosine; int exponent; device float* r = o + 8 * i;
  *r++ = modf(x[i], whole); *r++ = whole; *r++ = frexp(x[i], exponent); *r++ = exponent; *r++ = ldexp(x[i], -3);
  *r++ = ilogb(x[i]); *r++ = sincos(x[i], cosine); *r++ = cosine;
}}
kernel void fraction_{t}(device {t}* o, constant {t}* x, uint i [[thread_position_in_grid]]) {{ o[i] = fract(x[i]); }}
"""
    for t in TYPES
) + "".join(
    f"kernel void tests_{t}(device bool* o, constant {t}* x, uint i [[thread_position_in_grid]]) {{\n"
    f"  {t} a = x[i], b = x[i + 1]; device bool* r = o + 16 * i;\n"
    "  *r++ = isfinite(a); *r++ = isinf(a); *r++ = isnan(a); *r++ = isnormal(a); *r++ = signbit(a);\n"
    "  *r++ = isordered(a, b); *r++ = isunordered(a, b); *r++ = select(a, b, true) == b || b != b;\n"
    + "".join(
        f"  {{ {t}{n} v, w; for (int j = 0; j < {n}; ++j) {{ v[j] = x[i + j]; w[j] = x[i + j + 1]; }} bool ok = true;\n"
        f"    for (int j = 0; j < {n}; ++j) ok = ok && isfinite(v)[j] == isfinite(v[j]) && isinf(v)[j] == isinf(v[j]) &&"
        " isnan(v)[j] == isnan(v[j]) && isnormal(v)[j] == isnormal(v[j]) && signbit(v)[j] == signbit(v[j]) &&"
        " isordered(v, w)[j] == isordered(v[j], w[j]) && isunordered(v, w)[j] == isunordered(v[j], w[j]);\n"
        f"    *r++ = ok; }}\n"
        for n in (2, 3, 4)
    )
    + "}\n"
    for t in ("half", "bfloat", "float")
)  # fmt: skip

SELECT = "kernel void selects(device bool* o) {\n" + "".join(
    f"  {{ {t}{n} a = {t}{n}({t}(1)), b = {t}{n}({t}(0)); bool{n} m = false; m[1] = true; {t}{n} s = select(a, b, m);\n"
    f"    *o++ = s[0] == a[0] && s[1] == b[1] && all(select(a, b, bool{n}(true)) == b) && !any(select(a, b, m) != select(a, b, m));\n"
    f"    *o++ = select({t}(1), {t}(0), true) == {t}(0) && select({t}(1), {t}(0), false) == {t}(1); *o++ = any(m) && !all(m) && all(m || !m); }}\n"
    for t in ("bool", "char", "uchar", "short", "ushort", "int", "uint", "long", "ulong", "half", "bfloat", "float")
    for n in (2, 3, 4)
) + "  *o++ = all(true); *o++ = !any(false);\n}\n"  # fmt: skip

GEOMETRY = "".join(
    f"""
kernel void geometry_{t}{n}(device {t}* o, constant {t}* x, uint i [[thread_position_in_grid]]) {{
  {t}{n} a, b, c; for (int j = 0; j < {n}; ++j) {{ a[j] = x[i + j]; b[j] = x[i + j + 5]; c[j] = x[i + j + 9]; }}
  device {t}* r = o + 32 * i; {t}{n} v;
  *r++ = dot(a, b); *r++ = length(a); *r++ = length_squared(a); *r++ = distance(a, b); *r++ = distance_squared(a, b);
  v = normalize(a); for (int j = 0; j < {n}; ++j) *r++ = v[j];
  v = reflect(a, normalize(b)); for (int j = 0; j < {n}; ++j) *r++ = v[j];
  v = refract(normalize(a), normalize(b), {t}(0.75)); for (int j = 0; j < {n}; ++j) *r++ = v[j];
  v = refract(normalize(a), normalize(b), {t}(20)); for (int j = 0; j < {n}; ++j) *r++ = v[j];
  v = faceforward(a, b, c); for (int j = 0; j < {n}; ++j) *r++ = v[j];
  {"v = cross(a, b); for (int j = 0; j < 3; ++j) *r++ = v[j];" if n == 3 else ""}
}}
"""
    for t in TYPES
    for n in (2, 3, 4)
) + """
kernel void geometry_variants(device float* o, constant float3* x) {
  *o++ = precise::length(x[0]) - length(x[0]); *o++ = fast::length(x[0]) - length(x[0]);
  *o++ = precise::distance(x[0], x[1]) - distance(x[0], x[1]); *o++ = fast::distance(x[0], x[1]) - distance(x[0], x[1]);
  *o++ = any(precise::normalize(x[0]) != normalize(x[0])); *o++ = any(fast::normalize(x[0]) != normalize(x[0]));
}
"""  # fmt: skip

OVERLOADS = """
static_assert(is_same_v<decltype(max(float3(), 0.0f)), float3> && is_same_v<decltype(clamp(half2(), 0, 1)), half2>, "");
static_assert(is_same_v<decltype(sin(packed_float3())), float3> && is_same_v<decltype(dot(half2(), half2())), half>, "");
static_assert(is_same_v<decltype(precise::sin(half())), float> && is_same_v<decltype(exp(bfloat())), float>, "");
static_assert(is_same_v<decltype(max(bfloat(), bfloat())), float> && is_same_v<decltype(abs(bfloat())), float>, "");
static_assert(is_same_v<decltype(min(bfloat(), bfloat())), float>, "");
static_assert(is_same_v<decltype(clamp(bfloat(), bfloat(), bfloat())), float>, "");
static_assert(is_same_v<decltype(ilogb(half3())), int3> && is_same_v<decltype(isnan(bfloat4())), bool4>, "");
static_assert(is_same_v<decltype(absdiff(char2(), char2())), uchar2> && is_same_v<decltype(absdiff(1, 2)), uint>, "");
namespace of_the_program {
template <typename T> T max(T a, T b) { return a > b ? a : b; }
template <typename T> T clamp(T x, T low, T high) { return x < low ? low : x > high ? high : x; }
}
void templates_of_the_program() {
  using namespace of_the_program;
  static_assert(is_same_v<decltype(max(bfloat(), bfloat())), bfloat>, "");
  static_assert(is_same_v<decltype(clamp(bfloat(), bfloat(), bfloat())), bfloat>, "");
}
"""

SOURCE = VECTORS + SCALARS + SELECT + GEOMETRY + OVERLOADS


@pytest.fixture(scope="module")
def kernels() -> msl.Library:
    return compile_kernels(SOURCE, "functions.metal", checked=False)


def numbers(t: str, count: int) -> torch.Tensor:
    return (torch.rand(count, generator=torch.Generator().manual_seed(count)) * 8 - 4).to(TYPES[t])


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("t", TYPES)
def test_vectors_are_like_their_elements(kernels: msl.Library, t: str, size: int, variant: str) -> None:
    if variant and t == "half":
        return  # precise:: and fast:: are of float
    x = numbers(t, 70)
    count = len(calls(variant)) + 3
    out = torch.full((40, 64), 7, dtype=torch.int32, device="mps")
    kernels[f"vectors_{t}{size}_{variant[:-2]}"](out, x.to("mps"), threads=40)
    named = [*calls(variant), "sincos", "modf", "frexp"]
    wrong = (out.cpu()[:, :count] != 1).nonzero().tolist()
    assert not wrong, [named[k] for _, k in wrong[:3]]


@pytest.mark.parametrize("t", TYPES)
def test_three_operands(kernels: msl.Library, t: str) -> None:
    x = numbers(t, 3000).view(-1, 3)
    x[:, 1:] = x[:, 1:].sort(1).values  # clamp and smoothstep want the bounds in order
    out = torch.zeros(1000, len(TERNARY), dtype=TYPES[t], device="mps")
    kernels[f"ternary_{t}"](out, x.to("mps"), threads=1000)
    a, b, c = x.double().unbind(1)
    ordered = x.double().sort(1).values
    least, middle, most = ordered.unbind(1)
    step = ((c - a) / (b - a)).clamp(0, 1)
    wanted = {
        "clamp": a.clamp(b, c), "fma": a * b + c, "fmax3": most, "fmedian3": middle, "fmin3": least, "max3": most,
        "median3": middle, "min3": least, "mix": a + (b - a) * c, "smoothstep": step * step * (3 - 2 * step),
    }  # fmt: skip
    exact = set(TERNARY) - {"mix", "smoothstep"}
    for k, name in enumerate(TERNARY):
        if name in exact:
            assert torch.equal(out[:, k].cpu(), wanted[name].to(TYPES[t])), name
        else:
            # Each of the few operations rounds, relative to the largest of what it adds.
            error = 8 * torch.finfo(TYPES[t]).eps * 32
            torch.testing.assert_close(out[:, k].cpu().double(), wanted[name], rtol=0, atol=error, msg=name)


@pytest.mark.parametrize("t", TYPES)
def test_nextafter(kernels: msl.Library, t: str) -> None:
    tiny = torch.finfo(TYPES[t]).smallest_normal
    special = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        tiny,
        -tiny,
        torch.finfo(TYPES[t]).max,
        math.inf,
        -math.inf,
        math.nan,
        2.0,
    ]
    x = torch.cat(
        [
            torch.cartesian_prod(torch.tensor(special), torch.tensor(special)),
            numbers("float", 200).view(-1, 2),
        ]
    )
    x = x.to(TYPES[t])
    out = torch.zeros(len(x), dtype=TYPES[t], device="mps")
    kernels[f"next_{t}"](out, x.to("mps"), threads=len(x))
    a, b = x.unbind(1)
    if t == "float":
        wanted = torch.nextafter(a, b)
    else:
        # Neighbours are neighbours as integers that are counted from zero to both sides.
        bits = a.view(torch.int16).int()
        line = torch.where(bits < 0, -(bits & 0x7FFF), bits) + (b > a).int() - (b < a).int()
        wanted = torch.where(line < 0, -line - 2**15, line).to(torch.int16).view(torch.float16)
        wanted = torch.where((a == 0) & (b < 0), torch.tensor(-(2.0**-24)).half(), wanted)
        wanted = torch.where(a == b, b, torch.where(a.isnan() | b.isnan(), math.nan, wanted)).half()
    torch.testing.assert_close(out.cpu(), wanted, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("t", TYPES)
def test_parts(kernels: msl.Library, t: str) -> None:
    x = numbers(t, 400)
    x = x[x != 0]
    out = torch.zeros(len(x), 8, device="mps")
    kernels[f"parts_{t}"](out, x.to("mps"), threads=len(x))
    mantissa, exponent = torch.frexp(x.float())
    parts = [
        x.float() - x.float().trunc(),
        x.float().trunc(),
        mantissa,
        exponent,
        x.float() / 8,
        exponent - 1,
    ]
    got = out.cpu()
    for k, part in enumerate(parts[:4] + parts[5:], start=0):
        assert torch.equal(got[:, k if k < 4 else 5], part.float()), k
    assert torch.equal(got[:, 4], parts[4].to(TYPES[t]).float())
    for k, reference in ((6, torch.sin), (7, torch.cos)):
        wanted = reference(x.double())
        ulps = (got[:, k].double() - wanted).abs() / (torch.finfo(TYPES[t]).eps * wanted.abs())
        assert ulps.max() <= 1


@pytest.mark.parametrize("t", TYPES)
def test_fractions_are_below_one(kernels: msl.Library, t: str) -> None:
    x = torch.tensor(
        [-1e-7, -6e-8, -1e-30, 2.75, -2.75, 0.0, 3.0, math.inf, -math.inf, math.nan], dtype=TYPES[t]
    )
    out = torch.zeros_like(x, device="mps")
    kernels[f"fraction_{t}"](out, x.to("mps"), threads=len(x))
    below = 1 - torch.finfo(TYPES[t]).eps / 2
    tiny = x[2].item() and below  # in half, 1e-30 is 0
    wanted = [below if t == "half" else 1 - 2**-23 * 1.0, below, tiny, 0.75, 0.25, 0, 0, 0, 0, math.nan]
    wanted[0] = below if t == "half" else (1 + x[0].double().item())
    wanted[1] = below if t == "half" else (1 + x[1].double().item())
    torch.testing.assert_close(
        out.cpu(),
        torch.tensor(wanted, dtype=torch.float64).to(TYPES[t]).clamp(max=below),
        rtol=0,
        atol=0,
        equal_nan=True,
    )


@pytest.mark.parametrize("t", ["half", "bfloat", "float"])
def test_tests(kernels: msl.Library, t: str) -> None:
    dtype = torch.bfloat16 if t == "bfloat" else TYPES[t]
    info = torch.finfo(dtype)
    special = [
        0.0,
        -0.0,
        1.0,
        -2.5,
        math.inf,
        -math.inf,
        math.nan,
        info.smallest_normal,
        info.smallest_normal / 4,
        info.max,
    ]
    x = torch.tensor([*special, *reversed(special)], dtype=torch.float64).to(dtype)
    count = len(x) - 4
    out = torch.zeros(count, 16, dtype=torch.bool, device="mps")
    kernels[f"tests_{t}"](out, x.to("mps"), threads=count)
    a, b = x[:count], x[1 : count + 1]
    normal = a.isfinite() & (a.float().abs() >= info.smallest_normal)
    unordered = a.isnan() | b.isnan()
    wanted = [a.isfinite(), a.isinf(), a.isnan(), normal, a.signbit(), ~unordered, unordered]
    assert torch.equal(out.cpu()[:, :7], torch.stack(wanted, 1))
    assert out[:, 7:11].all()


def test_selections(kernels: msl.Library) -> None:
    out = torch.zeros(12 * 3 * 3 + 2, dtype=torch.bool, device="mps")
    kernels["selects"](out, threads=1)
    assert out.all()


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("t", TYPES)
def test_geometry(kernels: msl.Library, t: str, size: int) -> None:
    x = numbers(t, 120)
    out = torch.zeros(100, 32, dtype=TYPES[t], device="mps")
    kernels[f"geometry_{t}{size}"](out, x.to("mps"), threads=100)
    windows = x.double().unfold(0, size, 1)
    a, b, c = windows[:100], windows[5:105], windows[9:109]

    def dot(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        return (p * q).sum(1, keepdim=True)

    def refract(i: torch.Tensor, n: torch.Tensor, eta: float) -> torch.Tensor:
        k = 1 - eta * eta * (1 - dot(n, i) ** 2)
        return torch.where(k < 0, 0.0, eta * i - (eta * dot(n, i) + k.clamp(min=0).sqrt()) * n)

    na, nb = a / dot(a, a).sqrt(), b / dot(b, b).sqrt()
    columns = [dot(a, b), dot(a, a).sqrt(), dot(a, a), dot(a - b, a - b).sqrt(), dot(a - b, a - b), na]
    columns += [a - 2 * dot(nb, a) * nb, refract(na, nb, 0.75), refract(na, nb, 20.0)]
    columns += [torch.where(dot(c, b) < 0, a, -a)]
    if size == 3:
        columns.append(torch.linalg.cross(a, b))
    wanted = torch.cat(columns, 1)
    # Total reflection is decided within rounding, and 20 enlarges it.
    sure = ((1 - 400 * (1 - dot(na, nb) ** 2)).abs() > 1).flatten()
    error = torch.finfo(TYPES[t]).eps
    scale = torch.cat([torch.full((100, 5), 400.0), torch.full((100, wanted.shape[1] - 5), 60.0)], 1) * error
    scale[:, 5 + 3 * size : 5 + 4 * size] *= 100
    got = out.cpu()[:, : wanted.shape[1]].double()
    assert ((got - wanted).abs() <= scale)[sure].all()


def test_geometry_variants(kernels: msl.Library) -> None:
    out = torch.ones(6, device="mps")
    kernels["geometry_variants"](out, torch.tensor([1.0, 2, 3, 0, 5, 6, 8, 0], device="mps"), threads=1)
    assert out.tolist() == [0.0] * 6


def test_every_variant_is_tested() -> None:
    assert {*UNARY, *BINARY} >= NOT_PRECISE
