"""frexp beyond OpInfo's samples: every bit pattern of the 16-bit types, subnormals, both outputs' layouts."""

import math
from typing import Any

import pytest
import torch

import mpsops


def assert_same(x: torch.Tensor) -> None:
    """Bit for bit as the CPU, but the bits of NaN."""
    for found, expected in zip(torch.frexp(x.to("mps")), torch.frexp(x), strict=True):
        assert found.dtype == expected.dtype
        torch.testing.assert_close(found.cpu(), expected, rtol=0, atol=0, equal_nan=True)
        number = ~expected.isnan()
        assert torch.equal(found.cpu().signbit()[number], expected.signbit()[number])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_all_16_bit_numbers(dtype: torch.dtype) -> None:
    assert_same(torch.arange(-(1 << 15), 1 << 15, dtype=torch.int32).to(torch.int16).view(dtype))


def test_float_exponents_and_subnormals() -> None:
    powers = torch.arange(-149, 128, dtype=torch.float64).exp2()
    values = torch.cat([powers * factor for factor in (1.0, 1.5, 2 - 2.0**-23, 1 + 2.0**-23)]).float()
    assert_same(torch.cat([values, -values]))
    assert_same(torch.tensor([0.0, -0.0, math.inf, -math.inf, math.nan, 3.4028235e38, 1.1754942e-38]))
    assert_same(torch.randint(-(1 << 31), 1 << 31, (10_000,)).to(torch.int32).view(torch.float32))


LAYOUTS = {
    "transposed": lambda x: x.transpose(0, 2),
    "strided": lambda x: x[:, ::2, 1:],
    "offset": lambda x: x.flatten()[7:],
    "expanded": lambda x: x[:1].expand_as(x),
    "0-d": lambda x: x[1, 1, 1],
    "empty": lambda x: x[:0],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_in_one_dispatch(layout: str) -> None:
    x = torch.randn(4, 5, 6)
    x, on_mps = LAYOUTS[layout](x), LAYOUTS[layout](x.to("mps"))
    mpsops.reset_counts()
    found = torch.frexp(on_mps)
    assert sum(row.dispatches for row in mpsops.ops()) == (x.numel() > 0)
    for result, expected in zip(found, torch.frexp(x), strict=True):
        assert result.stride() == expected.stride()
        assert torch.equal(result.cpu(), expected)


def test_outputs_of_different_layouts() -> None:
    x = torch.randn(40, 50, device="mps")
    mantissa = torch.empty(50, 40, device="mps").T
    exponent = torch.empty(40, 100, dtype=torch.int32, device="mps")[:, ::2]
    torch.frexp(x, out=(mantissa, exponent))
    for found, expected in zip((mantissa, exponent), torch.frexp(x), strict=True):
        assert torch.equal(found, expected)
    torch.frexp(x, out=(x, exponent))
    assert torch.equal(x, mantissa)


def test_more_elements_than_threads() -> None:
    x = torch.arange((1 << 18) + 3.0)
    assert_same(x)


BAD: dict[str, Any] = {
    "integers": lambda d: torch.frexp(torch.ones(3, dtype=torch.int32, device=d)),
    "complex": lambda d: torch.frexp(torch.ones(3, dtype=torch.complex64, device=d)),
    "mantissa": lambda d: torch.frexp(
        torch.ones(3, device=d),
        out=(torch.empty(3, dtype=torch.half, device=d), torch.empty(3, dtype=torch.int32, device=d)),
    ),
    "exponent": lambda d: torch.frexp(
        torch.ones(3, device=d), out=(torch.empty(3, device=d), torch.empty(3, dtype=torch.int64, device=d))
    ),
    "overlap": lambda d: torch.frexp(
        torch.ones(3, device=d),
        out=(torch.empty(1, device=d).expand(3), torch.empty(3, dtype=torch.int32, device=d)),
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_errors_are_the_cpu_kernels(name: str) -> None:
    messages = []
    for device in ("cpu", "mps"):
        with pytest.raises(RuntimeError) as raised:
            BAD[name](device)
        messages.append(str(raised.value))
    assert messages[0] == messages[1]


def test_mixed_devices_raise() -> None:
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        torch.frexp(torch.ones(3, device="mps"), out=(torch.empty(3), torch.empty(3, dtype=torch.int32)))
