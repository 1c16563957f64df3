"""Accuracy of the special functions against mpmath, their special values, and elementwise plumbing.

The limits are units in the last place of float32 at the exact result (for Ai(x < 0): at its envelope),
as measured. Every region also asks for no more error than the CPU's float32 kernel makes there.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import pytest
import torch

import mpsops

ndtri = torch.special.ndtri
log_ndtr = torch.special.log_ndtr
airy_ai = torch.special.airy_ai
legendre = torch.special.legendre_polynomial_p
laguerre = torch.special.laguerre_polynomial_l

SMALLEST_NORMAL = 2.0**-126
mp = mpmath.mp.clone()
mp.dps = 40


def normal_cdf(x: Any) -> Any:
    return mp.erfc(-x / mp.sqrt(2)) / 2


def exact_ndtri(y: float) -> Any:
    """Halley's iteration on the distribution function."""
    target = mp.mpf(y)
    x = mp.mpf(float(ndtri(torch.tensor(y, dtype=torch.float64))))
    for _ in range(2):
        density = mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)
        step = (normal_cdf(x) - target) / density
        x -= step / (1 + x * step / 2)
    return x


def exact_log_ndtr(x: float) -> Any:
    x = mp.mpf(x)
    return mp.log1p(-normal_cdf(-x)) if x > 0 else mp.log(normal_cdf(x))


def exact_airy_ai(x: float) -> Any:
    return mp.airyai(x)


def exact_legendre(x: float, n: int) -> Any:
    x = mp.mpf(x)
    previous, current = mp.mpf(1), x
    for k in range(1, n):
        previous, current = current, ((2 * k + 1) * x * current - k * previous) / (k + 1)
    return current if n else previous


def exact_laguerre(x: float, n: int) -> Any:
    x = mp.mpf(x)
    previous, current = mp.mpf(1), 1 - x
    for k in range(1, n):
        previous, current = current, ((2 * k + 1 - x) * current - k * previous) / (k + 1)
    return current if n else previous


def airy_envelope(x: float) -> Any:
    return mp.hypot(mp.airyai(x), mp.airybi(x))


def evenly(low: float, high: float, count: int = 1000) -> torch.Tensor:
    """float32 values over an interval, dense and off any lattice: low + (golden ratio * i mod 1)."""
    steps = (torch.arange(1, count + 1, dtype=torch.float64) * 0.6180339887498949) % 1
    return (low + steps * (high - low)).float()


def powers(low: float, high: float, count: int = 1000) -> torch.Tensor:
    return (10 ** evenly(low, high, count).double()).float()


def ulps(actual: torch.Tensor, exact: list[Any], scale: list[Any]) -> float:
    """The largest error, in float32 units in the last place of the numbers in `scale`."""
    errors = []
    for value, reference, size in zip(actual.tolist(), exact, scale, strict=True):
        unit = np.spacing(np.float32(min(abs(float(size)), 3e38)))
        if abs(reference) > np.finfo(np.float32).max:
            errors.append(0.0 if value == math.copysign(math.inf, reference) else math.inf)
        else:
            errors.append(abs(float(mp.mpf(value) - reference)) / unit if math.isfinite(value) else math.inf)
    return max(errors)


@dataclass(frozen=True)
class Region:
    op: Callable[..., torch.Tensor]
    exact: Callable[..., Any]
    x: torch.Tensor
    limit: float
    envelope: Callable[[float], Any] | None = None

    def __str__(self) -> str:
        return f"{self.op.__name__}-{float(self.x.min()):.3g}-{float(self.x.max()):.3g}"


REGIONS = [
    Region(ndtri, exact_ndtri, evenly(0.125, 0.875), 1.95),
    Region(ndtri, exact_ndtri, evenly(0, 0.125), 1.85),
    Region(ndtri, exact_ndtri, evenly(0.875, 1), 1.85),
    Region(ndtri, exact_ndtri, powers(-37.9, -0.91), 1.85),
    Region(ndtri, exact_ndtri, powers(-44.8, -38), 0.6),
    Region(ndtri, exact_ndtri, 0.5 + powers(-7, -1), 0.6),
    Region(ndtri, exact_ndtri, 0.5 - powers(-7, -1), 0.6),
    Region(log_ndtr, exact_log_ndtr, -powers(2, 18), 0.51),
    Region(log_ndtr, exact_log_ndtr, evenly(-100, -3), 0.9),
    Region(log_ndtr, exact_log_ndtr, evenly(-3, -1), 2.0),
    Region(log_ndtr, exact_log_ndtr, evenly(-1, 0), 1.3),
    Region(log_ndtr, exact_log_ndtr, evenly(0, 1), 2.1),
    Region(log_ndtr, exact_log_ndtr, evenly(1, 12.9, 2000), 4.1),
    Region(airy_ai, exact_airy_ai, evenly(0, 2), 2.2),
    Region(airy_ai, exact_airy_ai, evenly(2, 25.5, 1500), 4.4),
    Region(airy_ai, exact_airy_ai, evenly(-2, 0), 3.6),
    Region(airy_ai, exact_airy_ai, evenly(-4.75, -2, 2000), 3.6),
    Region(airy_ai, exact_airy_ai, evenly(-10, -4.75), 4.5, airy_envelope),
    Region(airy_ai, exact_airy_ai, evenly(-100, -10), 4.5, airy_envelope),
    Region(airy_ai, exact_airy_ai, -powers(2, 4, 500), 4.5, airy_envelope),
    Region(airy_ai, exact_airy_ai, -powers(4, 6, 500), 80, airy_envelope),
]


@pytest.mark.parametrize("region", REGIONS, ids=str)
def test_accuracy(region: Region) -> None:
    exact = [region.exact(x) for x in region.x.tolist()]
    scale = [region.envelope(x) for x in region.x.tolist()] if region.envelope else exact
    error = ulps(region.op(region.x.to("mps")).cpu(), exact, scale)
    assert error <= region.limit
    assert error <= ulps(region.op(region.x), exact, scale)


@pytest.mark.parametrize("n", [2, 3, 5, 10, 30, 100])
@pytest.mark.parametrize(
    ("op", "exact", "low", "high"),
    [
        (legendre, exact_legendre, -1, 1),
        (legendre, exact_legendre, -3, 3),
        (legendre, exact_legendre, -1e6, 1e6),
        (laguerre, exact_laguerre, -10, 0),
        (laguerre, exact_laguerre, 0, 10),
        (laguerre, exact_laguerre, 0, 400),
        (laguerre, exact_laguerre, -1e6, 1e6),
    ],
)
def test_polynomials_are_rounded_correctly(op: Any, exact: Any, low: float, high: float, n: int) -> None:
    """Also where float32 overflows on the way, or in the result: the CPU's kernel gives NaN there."""
    x = evenly(low, high, 100)
    reference = [exact(value, n) for value in x.tolist()]
    assert ulps(op(x.to("mps"), n).cpu(), reference, reference) <= 0.51


@pytest.mark.parametrize("n", [300, 1000])
def test_high_degrees(n: int) -> None:
    for op, exact, low, high in ((legendre, exact_legendre, -1.1, 1.1), (laguerre, exact_laguerre, -1, 1200)):
        x = evenly(low, high, 30)
        reference = [exact(value, n) for value in x.tolist()]
        assert ulps(op(x.to("mps"), n).cpu(), reference, reference) <= 0.51


def test_results_below_the_normal_range() -> None:
    """Apple GPUs flush these to zero; what is left is below float32's smallest normal number."""
    for op, exact, x in (
        (log_ndtr, exact_log_ndtr, evenly(12.95, 15, 200)),
        (airy_ai, exact_airy_ai, evenly(25.7, 30, 200)),
    ):
        for value, x_value in zip(op(x.to("mps")).tolist(), x.tolist(), strict=True):
            assert abs(value - float(exact(x_value))) <= SMALLEST_NORMAL


SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, math.inf, -math.inf, math.nan, -1e-30, 1.0000001, 1e30, -1e30]


@pytest.mark.parametrize("op", [ndtri, log_ndtr, airy_ai], ids=lambda op: op.__name__)
def test_special_values(op: Any) -> None:
    x = torch.tensor(SPECIAL if op is not airy_ai else [v for v in SPECIAL if v > -1e20])
    assert_same(op(x.to("mps")), op(x))


def test_airy_ai_far_left_stays_in_its_envelope() -> None:
    x = -powers(6, 25, 50)
    assert (airy_ai(x.to("mps")).cpu().abs() <= 1.01 * math.pi**-0.5 * (-x) ** -0.25).all()


@pytest.mark.parametrize("op", [legendre, laguerre], ids=lambda op: op.__name__)
def test_special_degrees(op: Any) -> None:
    """n below 0, 0, 1, fractions; x = +-1, zeros, infinities. Where the CPU's kernel returns
    uninitialised memory (NaN x, n >= 2) NaN stays NaN; what it makes of a NaN or infinite n depends on
    the processor, and is x86's here."""
    degrees = [-5.0, -1.0, -0.5, 0.0, 0.9, 1.0, 1.5, 2.0, 2.7, 3.0, 4.0, 5.0, 6.0, 7.0, -math.inf]
    pairs = list(itertools.product([v for v in SPECIAL if abs(v) < 1e20 or math.isinf(v)], degrees))
    pairs += [(math.nan, n) for n in degrees if not n >= 2]
    x, n = torch.tensor(pairs).T.contiguous()
    assert_same(op(x.to("mps"), n.to("mps")), op(x, n))
    nan = torch.tensor([math.nan] * 3, device="mps")
    assert op(nan, torch.tensor([2.0, 3.0, 10.0], device="mps")).isnan().all()
    for n in (math.nan, math.inf):
        assert op(torch.tensor([0.5], device="mps"), n).item() == 0


def assert_same(actual: torch.Tensor, expected: torch.Tensor) -> None:
    """Close, and the same zeros with their signs, infinities and NaN."""
    actual = actual.cpu()
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=0, equal_nan=True)
    number = ~expected.isnan()
    assert torch.equal(actual.signbit()[number], expected.signbit()[number])


def dispatches() -> int:
    return sum(row.dispatches for row in mpsops.ops() if row.family.startswith("special_"))


INPUTS = {
    "contiguous": lambda x: x,
    "transposed": lambda x: x.transpose(0, 2),
    "strided": lambda x: x[:, ::2, 1:],
    "offset": lambda x: x.flatten()[7:],
    "expanded": lambda x: x[:1].expand_as(x),
    "0-d": lambda x: x[1, 1, 1],
    "many dimensions": lambda x: x.flatten()[:16].as_strided((2,) * 17, (1, 2) * 8 + (3,)),
}
DTYPES = [
    torch.float32,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.uint16,
    torch.uint32,
    torch.uint64,
    torch.bool,
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", INPUTS)
def test_layouts_and_dtypes_in_one_dispatch(layout: str, dtype: torch.dtype) -> None:
    x = INPUTS[layout]((evenly(0, 4, 5 * 6 * 7).reshape(5, 6, 7)).to(dtype))
    on_mps = INPUTS[layout]((evenly(0, 4, 5 * 6 * 7).reshape(5, 6, 7)).to(dtype).to("mps"))
    assert on_mps.stride() == x.stride()
    before = dispatches()
    result = log_ndtr(on_mps)
    assert dispatches() == before + 1
    expected = log_ndtr(x)
    assert (result.dtype, result.stride()) == (expected.dtype, expected.stride())
    torch.testing.assert_close(result.cpu(), expected, rtol=2e-6, atol=0)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (lambda d: torch.rand(3, 4).to(d), lambda d: torch.arange(4).to(d)),
        (lambda d: torch.rand(3, 4).to(d), lambda d: torch.arange(4.0).half().to(d)),
        (lambda d: torch.rand(3, 1).bfloat16().to(d), lambda d: torch.arange(4.0).to(d)),
        (lambda d: torch.arange(3).to(d)[:, None], lambda d: torch.arange(4, dtype=torch.uint8).to(d)),
        (lambda d: torch.rand(4).to(d), lambda d: torch.tensor(3)),
        (lambda d: torch.tensor(0.3, dtype=torch.float64), lambda d: torch.arange(4.0).to(d)),
        (lambda d: torch.rand(4).to(d), lambda d: 3),
        (lambda d: 0.3, lambda d: torch.arange(4).to(d)),
        (
            lambda d: torch.rand(3, 1, 5).to(d).expand(3, 4, 5),
            lambda d: torch.arange(20.0).to(d).view(5, 4).T,
        ),
    ],
)
def test_mixed_operands_in_one_dispatch(left: Any, right: Any) -> None:
    torch.manual_seed(1)
    expected = legendre(left("cpu"), right("cpu"))
    torch.manual_seed(1)
    a, b = left("mps"), right("mps")
    before = dispatches()
    result = legendre(a, b)
    assert dispatches() == before + 1
    assert (result.device.type, result.dtype, result.stride()) == ("mps", expected.dtype, expected.stride())
    torch.testing.assert_close(result.cpu(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("op", [legendre, laguerre], ids=lambda op: op.__name__)
def test_scalar_overloads(op: Any) -> None:
    x, n = torch.tensor([0.1, 0.7, 2.0]), torch.arange(3.0)
    for left, right in ((x, 3), (0.3, n)):
        expected = op(left, right)
        on_mps = [value.to("mps") if isinstance(value, torch.Tensor) else value for value in (left, right)]
        out = torch.empty(0, device="mps")
        assert op(*on_mps, out=out) is out
        torch.testing.assert_close(out.cpu(), expected)
        assert torch.equal(op(*on_mps), out)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.complex64], ids=str)
def test_out_of_another_dtype_in_one_dispatch(dtype: torch.dtype) -> None:
    for make in (lambda t: t, lambda t: t[:, ::2], lambda t: t.T):
        x = make(evenly(0.1, 0.9, 6 * 8).reshape(6, 8))
        out = torch.zeros(x.shape, dtype=dtype, device="mps")
        before = dispatches()
        assert ndtri(x.to("mps"), out=out) is out
        assert dispatches() == before + 1
        torch.testing.assert_close(out.cpu(), ndtri(x).to(dtype), rtol=1e-2, atol=1e-6)


def test_empty_launches_nothing() -> None:
    before = dispatches()
    assert ndtri(torch.empty(3, 0, device="mps")).shape == (3, 0)
    assert legendre(torch.empty(0, 1, device="mps"), torch.ones(4, device="mps")).shape == (0, 4)
    assert dispatches() == before


def test_more_elements_than_one_thread_each() -> None:
    """From 2^18 elements on, a thread computes four: the last ones must not be missed."""
    for count in (1 << 18, (1 << 18) + 1, (1 << 18) + 2, (1 << 18) + 3):
        x = torch.full((count,), 0.5)
        x[-3:] = 0.25
        result = ndtri(x.to("mps")).cpu()
        assert torch.equal(result != 0, x != 0.5)


def test_offsets_above_32_bits() -> None:
    """Three elements of a 4 GiB tensor, 2^31 elements apart, of which nothing else is touched."""
    storage = torch.empty((1 << 32) + 1, dtype=torch.uint8, device="mps")
    far = storage[:: 1 << 31]
    far.copy_(torch.tensor([0, 1, 2], dtype=torch.uint8))
    torch.testing.assert_close(log_ndtr(far).cpu(), log_ndtr(torch.tensor([0.0, 1.0, 2.0])))


@pytest.mark.parametrize("op", [ndtri, log_ndtr, airy_ai, legendre, laguerre], ids=lambda op: op.__name__)
@pytest.mark.parametrize(
    "bad",
    [
        lambda d: (torch.ones(3, device=d), torch.empty(3, dtype=torch.int32, device=d)),
        lambda d: (torch.ones(3, device=d), torch.empty(1, device=d).expand(3)),
        lambda d: (torch.ones(3, dtype=torch.complex64, device=d), None),
        lambda d: (torch.ones(3, dtype=torch.float16, device=d), None),
        lambda d: (torch.ones(3, dtype=torch.bfloat16, device=d), torch.empty(3, device=d)),
    ],
)
def test_errors_are_the_cpu_kernels(op: Any, bad: Any) -> None:
    messages = []
    for device in ("cpu", "mps"):
        x, out = bad(device)
        arguments = (x, x) if op in {legendre, laguerre} else (x,)
        with pytest.raises((RuntimeError, NotImplementedError)) as raised:
            op(*arguments, out=out)
        messages.append((type(raised.value), str(raised.value)))
    assert messages[0] == messages[1]


def test_overlap_and_mixed_devices_raise() -> None:
    memory = torch.rand(5, device="mps")
    with pytest.raises(RuntimeError, match="refer to a single memory location"):
        ndtri(memory[:4], out=memory[1:])
    assert ndtri(memory, out=memory) is memory
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        legendre(torch.rand(3, device="mps"), torch.rand(3))
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        ndtri(torch.rand(3, device="mps"), out=torch.empty(3))
