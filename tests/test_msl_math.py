"""The library's functions against double precision: float within an ulp of it, half rounded from it."""

import math
from collections.abc import Callable

import pytest
import torch
from exec_support import compile_kernels, msl

UNARY: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], float, float]] = {
    "acos": (torch.acos, -1, 1),
    "acosh": (torch.acosh, 1, 50),
    "asin": (torch.asin, -1, 1),
    "asinh": (torch.asinh, -50, 50),
    "atan": (torch.atan, -50, 50),
    "atanh": (torch.atanh, -1, 1),
    "ceil": (torch.ceil, -50, 50),
    "cos": (torch.cos, -50, 50),
    "cosh": (torch.cosh, -10, 10),
    "cospi": (lambda x: torch.cos(math.pi * x), -4, 4),
    "exp": (torch.exp, -10, 10),
    "exp2": (torch.exp2, -15, 15),
    "exp10": (lambda x: torch.pow(10.0, x), -4, 4),
    "fabs": (torch.abs, -50, 50),
    "floor": (torch.floor, -50, 50),
    "fract": (lambda x: x - x.floor(), -50, 50),
    "log": (torch.log, 0.01, 100),
    "log2": (torch.log2, 0.01, 100),
    "log10": (torch.log10, 0.01, 100),
    "rint": (torch.round, -50, 50),
    "round": (lambda x: (x.abs() + 0.5).floor() * x.sign(), -50, 50),
    "rsqrt": (torch.rsqrt, 0.01, 100),
    "saturate": (lambda x: x.clamp(0, 1), -2, 2),
    "sign": (torch.sign, -2, 2),
    "sin": (torch.sin, -50, 50),
    "sinh": (torch.sinh, -10, 10),
    "sinpi": (lambda x: torch.sin(math.pi * x), -4, 4),
    "sqrt": (torch.sqrt, 0, 100),
    "tan": (torch.tan, -1.5, 1.5),
    "tanh": (torch.tanh, -5, 5),
    "tanpi": (lambda x: torch.tan(math.pi * x), -0.45, 0.45),
    "trunc": (torch.trunc, -50, 50),
}
BINARY: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "atan2": torch.atan2,
    "copysign": torch.copysign,
    "divide": torch.div,
    "fdim": lambda x, y: (x - y).clamp(min=0),
    "fmax": torch.fmax,
    "fmin": torch.fmin,
    "fmod": torch.fmod,
    "pow": lambda x, y: x.abs().pow(y),
    "powr": lambda x, y: x.abs().pow(y),
    "max": torch.fmax,
    "min": torch.fmin,
    "step": lambda x, y: (y >= x).double(),
}
NOT_PRECISE = {"sign", "step", "max", "min"}  # have no form in precise:: and fast::

SOURCE = "".join(
    f"kernel void {name}_{t}(device {t}* o, constant {t}* in, uint i [[thread_position_in_grid]]) "
    f"{{ o[i] = metal::{name}(in[i]); }}\n"
    f"kernel void {name}_{t}2(device {t}2* o, constant {t}2* in, uint i [[thread_position_in_grid]]) "
    f"{{ o[i] = metal::{name}(in[i]); }}\n"
    for name in UNARY
    for t in ("float", "half")
) + "".join(
    f"kernel void {name}_{t}(device {t}* o, constant {t}* a, constant {t}* b, uint i [[thread_position_in_grid]]) "
    f"{{ o[i] = metal::{name}({'abs(a[i])' if name.startswith('pow') else 'a[i]'}, b[i]); }}\n"
    for name in BINARY
    for t in ("float", "half")
) + "".join(
    f"kernel void precise_{name}(device float* o, constant float* in, uint i [[thread_position_in_grid]]) "
    f"{{ o[2 * i] = precise::{name}(in[i]); o[2 * i + 1] = fast::{name}(in[i]); }}\n"
    for name in UNARY
    if name not in NOT_PRECISE
) + """
kernel void special(device float* o, constant float* in, uint i [[thread_position_in_grid]]) {
  float x = in[i], c, whole;
  int exponent;
  device float* r = o + 16 * i;
  r[0] = isnan(x); r[1] = isinf(x); r[2] = isfinite(x); r[3] = signbit(x);
  r[4] = max(x, 1.0f); r[5] = min(1.0f, x); r[6] = sincos(x, c); r[7] = c;
  r[8] = modf(x, whole); r[9] = whole;
  r[10] = frexp(x, exponent); r[11] = isfinite(x) ? exponent : 0; r[12] = ldexp(x, 3);
  r[13] = fma(x, x, -1.0f); r[14] = clamp(x, -1.0f, 1.0f); r[15] = mix(x, 2.0f, 0.5f);
}
kernel void half_fma(device half* o, constant half* in, uint i [[thread_position_in_grid]]) {
  o[i] = fma(in[3 * i], in[3 * i + 1], in[3 * i + 2]);
}
"""  # fmt: skip


@pytest.fixture(scope="module")
def kernels() -> msl.Library:
    return compile_kernels(SOURCE, "math.metal")


def apply(kernels: msl.Library, name: str, *inputs: torch.Tensor) -> torch.Tensor:
    out = torch.zeros_like(inputs[0], device="mps")
    kernels[name](out, *(x.to("mps") for x in inputs), threads=len(out) // (2 if name.endswith("2") else 1))
    return out.cpu()


def assert_close(got: torch.Tensor, wanted: torch.Tensor) -> None:
    """float: at most an ulp of the result off; half: the result rounded."""
    if got.dtype == torch.float16:
        # The float result may be an ulp off before its rounding, which then falls the other way.
        ulps = (got.view(torch.int16).int() - wanted.half().view(torch.int16).int()).abs()
        assert ulps.max() <= 1
        assert (ulps == 0).double().mean() > 0.999
        return
    ulp = torch.finfo(torch.float32).eps * wanted.abs().clamp(min=2.0**-100)
    assert ((got.double() - wanted).abs() <= ulp).all(), ((got.double() - wanted).abs() / ulp).max()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("name", UNARY)
def test_unary(kernels: msl.Library, name: str, dtype: torch.dtype) -> None:
    function, low, high = UNARY[name]
    x = (torch.rand(20000) * (high - low) + low).to(dtype)
    t = "half" if dtype == torch.float16 else "float"
    # Near a zero of sin(pi x) and cos(pi x) the reference itself cancels.
    if name in ("sinpi", "cospi"):
        x = x[(function(x.double()).abs() > 1e-3)][:19000]
        x = x[: len(x) // 2 * 2]
    got = apply(kernels, f"{name}_{t}", x)
    assert_close(got, function(x.double()))
    assert torch.equal(apply(kernels, f"{name}_{t}2", x), got)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("name", BINARY)
def test_binary(kernels: msl.Library, name: str, dtype: torch.dtype) -> None:
    a, b = (torch.rand(20000) * 6 - 3).to(dtype), (torch.rand(20000) * 6 - 3).to(dtype)
    got = apply(kernels, f"{name}_{'half' if dtype == torch.float16 else 'float'}", a, b)
    assert_close(got, BINARY[name](a.double(), b.double()))


@pytest.mark.parametrize("name", [n for n in UNARY if n not in NOT_PRECISE])
def test_precise_and_fast(kernels: msl.Library, name: str) -> None:
    _, low, high = UNARY[name]
    x = torch.rand(1000) * (high - low) + low
    out = torch.zeros(1000, 2, device="mps")
    kernels[f"precise_{name}"](out, x.to("mps"), threads=1000)
    plain = apply(kernels, f"{name}_float", x)
    assert torch.equal(out[:, 0].cpu(), plain)
    assert torch.equal(out[:, 1].cpu(), plain)


def test_special_values(kernels: msl.Library) -> None:
    x = torch.tensor([0.0, -0.0, 1.5, -2.25, float("inf"), -float("inf"), float("nan"), 1e-42])
    out = torch.zeros(len(x), 16, device="mps")
    kernels["special"](out, x.to("mps"), threads=len(x))
    got = out.cpu()
    one = torch.ones_like(x)
    mantissa, exponent = torch.frexp(x)
    whole = x.trunc()
    columns = [
        x.isnan(), x.isinf(), x.isfinite(), x.signbit(), torch.fmax(x, one), torch.fmin(x, one), x.sin(), x.cos(),
        torch.where(x.isinf(), torch.copysign(torch.zeros_like(x), x), x - whole), whole, mantissa,
        torch.where(x.isfinite(), exponent, 0), x * 8, (x.double() ** 2 - 1).float(),
        torch.fmin(torch.fmax(x, -one), one), x + (2 - x) * 0.5,
    ]  # fmt: skip
    for i, column in enumerate(columns):
        torch.testing.assert_close(
            got[:, i], column.float(), rtol=2e-7, atol=0, equal_nan=True, msg=f"column {i}"
        )
    assert math.copysign(1, got[1, 8].item()) == -1  # the fraction of -0.0


def test_half_fma_rounds_once(kernels: msl.Library) -> None:
    x = torch.randn(20000, 3).half()
    got = torch.zeros(20000, dtype=torch.float16, device="mps")
    kernels["half_fma"](got, x.to("mps"), threads=20000)
    d = x.double()
    assert torch.equal(got.cpu(), (d[:, 0] * d[:, 1] + d[:, 2]).to(torch.float16))
