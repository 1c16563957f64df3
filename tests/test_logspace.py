"""logspace beyond the entries: accuracy, integers, bases of any sign, odd ends, out=, texts."""

import math
from typing import Any

import mpmath
import numpy as np
import pytest
import torch

import mpsops

inf, nan = math.inf, math.nan
mp = mpmath.mp.clone()
mp.dps = 50


def on_both(*args: Any, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.logspace(*args, **kwargs, device="mps").cpu(), torch.logspace(*args, **kwargs)


def exact(start: float, end: float, steps: int, base: float) -> list[Any]:
    start, end, base = mp.mpf(start), mp.mpf(end), mp.mpf(base)
    return [base ** (start + (end - start) * i / (steps - 1)) for i in range(steps)]


@pytest.mark.parametrize(
    ("start", "end", "base"),
    [
        (-37, 38, 10.0),
        (-126, 127.875, 2.0),
        (0, 80, 3.0),
        (-1, 1, 10.0),
        (-300, 500, 1.1),
        (-0.125, 0.125, 7.3),
        (4.0, -4.0, 2.718281828459045),
        (-0.125, 0.125, 1e-300),
        (-1e6, 1e6, 1.00001),
        (-30, 37, 0.1),
    ],
)
def test_floats_are_rounded_correctly(start: float, end: float, base: float) -> None:
    """To 0.51 units in the last place: to 0.5 but for what is almost halfway."""
    steps = 301
    found = torch.logspace(start, end, steps, base, device="mps").tolist()
    for value, reference in zip(found, exact(start, end, steps, base), strict=True):
        unit = float(np.spacing(np.float32(float(reference))))
        assert abs(mp.mpf(value) - reference) <= 0.51 * unit


def test_many_steps_keep_their_accuracy() -> None:
    steps = 1 << 20
    found, cpu = on_both(-20, 20, steps)
    reference = 10.0 ** torch.linspace(-20, 20, steps, dtype=torch.float64)
    torch.testing.assert_close(found.double(), reference, rtol=6.1e-8, atol=0)
    assert (found != cpu).sum() < 0.01 * steps


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types(dtype: torch.dtype) -> None:
    """As rounded from float32; ends are rounded first, and so is their difference."""
    for start, end, steps in ((-7, 4, 41), (0.1, 2.3, 7), (-9, 5, 1001), (-3.3, 1.7, 50)):
        found, cpu = on_both(start, end, steps, dtype=dtype)
        assert torch.equal(found, cpu)


WHOLE = [
    (0, 18, 19, 10.0, torch.int64),
    (0, 62, 63, 2.0, torch.int64),
    (0, 39, 40, 3.0, torch.int64),
    (0, 26, 27, 5.0, torch.int64),
    (0, 9, 10, 10.0, torch.int32),
    (0, 30, 31, 2.0, torch.int32),
    (19, 0, 20, 3.0, torch.int32),
    (0, 4, 5, 10.0, torch.int16),
    (0, 2, 3, 10.0, torch.int8),
    (0, 7, 8, 2.0, torch.uint8),
    (0, 15, 31, 4.0, torch.int64),
    (0, -20, 21, 0.5, torch.int32),
    (0, 31, 32, -2.0, torch.int32),
    (0, 63, 64, -2.0, torch.int64),
    (0, 11, 12, -7.0, torch.int64),
]


def assert_same_integers(found: torch.Tensor, cpu: torch.Tensor) -> None:
    """Equal; from 2^53 on to the last bit of a double, which is not always what is nearest on the CPU."""
    long = cpu.abs() >= 2**53
    assert torch.equal(found[~long], cpu[~long])
    assert ((found - cpu)[long].abs() <= 2.0**-52 * cpu[long].abs()).all()


@pytest.mark.parametrize(("start", "end", "steps", "base", "dtype"), WHOLE)
def test_whole_powers(start: int, end: int, steps: int, base: float, dtype: torch.dtype) -> None:
    found, cpu = on_both(start, end, steps, base, dtype=dtype)
    assert_same_integers(found.long(), cpu.long())
    expected = [int(float(value)) for value in exact(start, end, steps, base)]
    bounds = torch.iinfo(dtype)
    assert found.tolist() == [
        value if bounds.min <= value <= bounds.max else bounds.min for value in expected
    ]


SIZES = [(torch.int32, 9), (torch.int16, 4), (torch.int8, 2), (torch.uint8, 2)]


@pytest.mark.parametrize(("dtype", "end"), SIZES)
@pytest.mark.parametrize("steps", [2, 7, 100, 9999, 100_003])
def test_powers_between_are_cut_as_on_the_cpu(dtype: torch.dtype, end: int, steps: int) -> None:
    for base in (10.0, 9.5, 3.0):
        found, cpu = on_both(0, end, steps, base, dtype=dtype)
        assert torch.equal(found, cpu)


@pytest.mark.parametrize("steps", [7, 100, 1001])
def test_long_powers_between(steps: int) -> None:
    """The CPU kernel's x is a double: its powers are off in the last 5 bits of one, ours are not."""
    for base in (10.0, 9.5, 3.0):
        found, cpu = on_both(0, 15, steps, base, dtype=torch.int64)
        assert found.tolist() == [int(value + mp.mpf(2) ** -60) for value in exact(0, 15, steps, base)]
        assert ((found - cpu).abs() <= 1 + cpu / 2.0**48).all()


@pytest.mark.parametrize("dtype", [torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8])
def test_out_of_bounds_as_on_x86(dtype: torch.dtype) -> None:
    for base in (10.0, 2.0, -3.0):
        found, cpu = on_both(0, 70, 71, base, dtype=dtype)
        assert_same_integers(found.long(), cpu.long())


def assert_same(found: torch.Tensor, cpu: torch.Tensor) -> None:
    """Close, with the same infinities, NaN and zeros with their signs."""
    torch.testing.assert_close(found, cpu, rtol=1.3e-6, atol=1e-38, equal_nan=True)
    number = ~cpu.isnan()
    assert torch.equal(found.signbit()[number], cpu.signbit()[number])


@pytest.mark.parametrize("base", [0.0, -0.0, inf, -inf, nan, 1.0, -1.0, -2.0, -2.5, 1e-40, -1e300])
def test_bases(base: float) -> None:
    for start, end, steps in ((-1, 2, 4), (0, 3, 6), (-3, 3, 7), (2, -2, 5), (-0.5, 0.5, 3), (3, 3, 2)):
        assert_same(*on_both(start, end, steps, base))
        found, cpu = on_both(start, end, steps, base, dtype=torch.int32)
        assert torch.equal(found, cpu)


@pytest.mark.parametrize("base", [10.0, 1.0, 0.5, -2.0, 0.0])
def test_ends_that_are_not_finite(base: float) -> None:
    for start, end in ((-inf, 2), (0, inf), (nan, 2), (nan, inf), (-3e38, 3e38), (inf, inf), (inf, -inf)):
        for steps in (2, 3, 4, 7):
            assert_same(*on_both(start, end, steps, base))


def test_ends_far_out() -> None:
    """What is beyond 2^29 is scaled down, and where the exponent crosses 0 remains."""
    for start, end in ((-1e12, 1e12), (1e20, 2e20), (-1e38, -1e30), (1e30, -1e30), (0, 1e15), (-1e12, 3e12)):
        for base in (10.0, 0.3, 1.5):
            assert_same(*on_both(start, end, 5, base))


@pytest.mark.parametrize(
    ("start", "end"), [(0, 2), (-3, 5), (0, 3j), (1 - 2j, 2 + 4j), (-0.5 + 1j, 0.5 - 1j)]
)
@pytest.mark.parametrize("base", [10.0, 0.3, 1.0, -2.0, -0.7])
def test_complex(start: complex, end: complex, base: float) -> None:
    steps = 33
    found = torch.logspace(start, end, steps, base, dtype=torch.complex64, device="mps").cpu()
    x = [mp.mpc(start) + (mp.mpc(end) - mp.mpc(start)) * i / (steps - 1) for i in range(steps)]
    reference = [complex(mp.exp(value * mp.log(mp.mpf(base)))) for value in x]
    error = (found.to(torch.complex128) - torch.tensor(reference)).abs()
    assert (error <= 3e-7 * torch.tensor(reference).abs()).all()


def test_complex_edges() -> None:
    for start, end, base in (
        (0, 1000, 10.0),
        (0, complex(0, inf), 10.0),
        (-1, 2, 0.0),
        (-1, 2, inf),
        (-1, 2, nan),
    ):
        found, cpu = on_both(start, end, 4, base, dtype=torch.complex64)
        torch.testing.assert_close(
            torch.view_as_real(found), torch.view_as_real(cpu), rtol=1e-6, atol=0, equal_nan=True
        )


@pytest.mark.op("aten::logspace.out")
def test_forms() -> None:
    """torch's other forms lead to the out= form; out is resized silently, or keeps its shape."""
    _, cpu = on_both(0, 2, 6)
    mpsops.reset_counts()
    for start, end in (
        (0, 2),
        (torch.tensor(0), 2),
        (0, torch.tensor(2.0)),
        (torch.tensor(0), torch.tensor(2)),
    ):
        assert torch.equal(torch.logspace(start, end, 6, device="mps").cpu(), cpu)
    assert sum(row.dispatches for row in mpsops.ops()) == 4
    out = torch.empty(2, 3, device="mps")
    assert torch.logspace(0, 2, 6, out=out) is out
    assert torch.equal(out.cpu(), cpu.view(2, 3))
    strided = torch.zeros(6, 2, device="mps")
    torch.logspace(0, 2, 6, out=strided[:, 1])
    assert torch.equal(strided.cpu(), torch.stack([torch.zeros(6), cpu], 1))
    transposed = torch.zeros(3, 2, device="mps").T
    torch.logspace(0, 2, 6, out=transposed)
    assert torch.equal(transposed.cpu(), cpu.view(2, 3))
    out = torch.empty(4, device="mps")
    torch.logspace(0, 2, 6, out=out)
    assert torch.equal(out.cpu(), cpu)
    assert torch.logspace(0, 2, 0, device="mps").shape == (0,)
    for dtype in (torch.float32, torch.int8, torch.complex64, torch.bool, torch.uint16):
        found, one = on_both(0, 2, 1, dtype=dtype)
        assert torch.equal(found, one)


CALLS: dict[str, Any] = {
    "steps": lambda d: torch.logspace(0, 1, -1, device=d),
    "dtype": lambda d: torch.logspace(0, 1, 3, dtype=torch.bool, device=d),
    "unsigned": lambda d: torch.logspace(0, 1, 3, dtype=torch.uint16, device=d),
    "start out of bounds": lambda d: torch.logspace(300, 1, 3, dtype=torch.uint8, device=d),
    "end out of bounds": lambda d: torch.logspace(0, -200, 3, dtype=torch.int8, device=d),
    "complex ends": lambda d: torch.logspace(0, 2j, 3, out=torch.empty(3, device=d)),
    "half": lambda d: torch.logspace(0, 1e6, 3, dtype=torch.half, device=d),
    "dimensions": lambda d: torch.logspace(torch.zeros(1), 1, 3, device=d),
}


@pytest.mark.parametrize("name", CALLS)
def test_errors_are_the_cpu_kernels(name: str) -> None:
    messages = []
    for device in ("cpu", "mps"):
        with pytest.raises((RuntimeError, NotImplementedError)) as raised:
            CALLS[name](device)
        messages.append((type(raised.value), str(raised.value)))
    assert messages[0] == messages[1]
