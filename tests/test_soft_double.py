"""metal/common/soft_double.h against the double of the CPU, bit for bit."""

from pathlib import Path

import torch
from exec_support import HEADER, msl

SOURCE = """
#include "metal/common/soft_double.h"

SoftDouble from_bits(long bits) {
  SoftDouble value;
  value.negative = bits < 0;
  value.significand = ulong(bits) & 0x000ffffffffffffful;
  value.exponent = int((ulong(bits) >> 52) & 0x7fful) - 1075;
  if (value.exponent == -1075) {
    value.exponent = 0;  // zero: there are no subnormals here
  } else {
    value.significand |= 0x0010000000000000ul;
  }
  return value;
}

long to_bits(SoftDouble value) {
  const ulong sign = value.negative ? 0x8000000000000000ul : 0ul;
  if (value.significand == 0) {
    return long(sign);
  }
  return long(sign | (ulong(value.exponent + 1075) << 52) | (value.significand & 0x000ffffffffffffful));
}

kernel void binary(device long* out, device const long* a, device const long* b,
                   uint i [[thread_position_in_grid]]) {
  const SoftDouble x = from_bits(a[i]);
  const SoftDouble y = from_bits(b[i]);
  out[3 * i] = to_bits(add(x, y));
  out[3 * i + 1] = y.significand == 0 ? 0 : to_bits(divide(x, y));
  out[3 * i + 2] = less(x, y);
}

kernel void narrowed(device float* out, device const long* a, uint i [[thread_position_in_grid]]) {
  out[i] = to_float(from_bits(a[i]));
}

kernel void integers(device int* out, device const long* a, uint i [[thread_position_in_grid]]) {
  out[i] = nearest_int(from_bits(a[i]));
}

kernel void widened(device long* out, device const float* a, device const int* b,
                    uint i [[thread_position_in_grid]]) {
  out[3 * i] = to_bits(soft_double(a[i]));
  out[3 * i + 1] = to_bits(soft_double(b[i]));
  out[3 * i + 2] = to_bits(multiply(a[i], b[i]));
}
"""
ROOT = Path(__file__).resolve().parent.parent
LIBRARY = msl.compile(HEADER + SOURCE, name="soft_double", checked=True, include=[ROOT])


def numbers(count: int) -> torch.Tensor:
    """Doubles of all lengths, hence sums and quotients that are exact, just off a tie, and on one."""
    bits = torch.randint(0, 2**52, (count,)) & ~((1 << torch.randint(0, 53, (count,))) - 1)
    exponent = torch.randint(-60, 61, (count,))
    values = torch.ldexp(1 + bits.double() / 2**52, exponent)
    values[::50] = torch.randint(-9, 10, (len(values[::50]),)).double()
    return values * (1 - 2 * torch.randint(0, 2, (count,)))


def bits(values: torch.Tensor) -> torch.Tensor:
    """The sign of zero does not count."""
    return (values + 0.0).view(torch.int64)


def test_add_divide_less() -> None:
    a, b = numbers(40_000), numbers(40_000)
    b[:10_000] = torch.ldexp(b[:10_000], a[:10_000].frexp().exponent - b[:10_000].frexp().exponent)
    b[10_000:11_000] = -a[10_000:11_000]
    b[11_000:12_000] = a[11_000:12_000]
    # Half a unit in the last place away, and a little more or less than that.
    unit = torch.ldexp(torch.ones(3000).double(), a[12_000:15_000].frexp().exponent - 54)
    b[12_000:13_000] = unit[:1000]
    b[13_000:14_000] = unit[1000:2000] * (1 + 2.0**-40)
    b[14_000:15_000] = -unit[2000:] * (1 - 2.0**-40)
    out = torch.zeros(len(a), 3, dtype=torch.int64, device="mps")
    LIBRARY["binary"](out, a.view(torch.int64).to("mps"), b.view(torch.int64).to("mps"), threads=len(a))
    total, quotient, less = (column.contiguous() for column in out.cpu().unbind(1))
    assert torch.equal(bits(total.view(torch.float64)), bits(a + b))
    nonzero = b != 0
    assert torch.equal(bits(quotient.view(torch.float64))[nonzero], bits(a / b)[nonzero])
    assert torch.equal(less.bool(), a < b)


def test_to_float() -> None:
    """Subnormal and too large results too, and ties between floats."""
    a = numbers(40_000)
    a[:10_000] = torch.ldexp(a[:10_000], torch.randint(-200, 200, (10_000,)))
    ties = torch.randint(2**23, 2**24, (10_000,)).double() + 0.5
    a[10_000:20_000] = torch.ldexp(ties, torch.randint(-175, 105, (10_000,)))
    a[20_000:30_000] = a[10_000:20_000] * (1 + 2.0**-50)
    out = torch.zeros(len(a), device="mps")
    LIBRARY["narrowed"](out, a.view(torch.int64).to("mps"), threads=len(a))
    assert torch.equal(out.cpu(), a.float())


def test_nearest_int() -> None:
    a = numbers(20_000)
    a[:5000] = torch.randint(-(2**20), 2**20, (5000,)).double() + 0.5
    a[5000:10_000] = a[:5000] * (1 + 2.0**-50)
    a = a[(a.abs() < 2**31 - 1)]
    out = torch.zeros(len(a), dtype=torch.int32, device="mps")
    LIBRARY["integers"](out, a.view(torch.int64).to("mps"), threads=len(a))
    assert torch.equal(out.cpu(), a.round().int())


def test_from_float_and_int() -> None:
    a = torch.randn(10_000) * 10.0 ** torch.empty(10_000).uniform_(-44, 38)
    b = torch.randint(-(2**31), 2**31, (10_000,)).int()
    a[:3] = torch.tensor([0.0, 1.0, 1e-45])
    b[:3] = torch.tensor([0, -(2**31), 2**31 - 1])
    out = torch.zeros(len(a), 3, dtype=torch.int64, device="mps")
    LIBRARY["widened"](out, a.to("mps"), b.to("mps"), threads=len(a))
    expected = torch.stack([a.double(), b.double(), a.double() * b.double()], 1)
    assert torch.equal(bits(out.cpu().view(torch.float64)), bits(expected))
