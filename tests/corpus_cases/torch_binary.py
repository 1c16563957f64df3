"""PyTorch 2.6: two inputs and an output, each at a byte offset that another kernel made for every element."""

from collections.abc import Iterator

import torch
from kernel_corpus import Run, family

from corpus_cases.torch_elementwise import DTYPES

INTEGERS = {
    "int": torch.int32,
    "long": torch.int64,
    "short": torch.int16,
    "char": torch.int8,
    "uchar": torch.uint8,
}


def offsets(count: int, *steps: int, dtype: torch.dtype = torch.int32) -> torch.Tensor:
    """`uint3` or `ulong3` for each of `count` elements: its multiple of each step, in bytes."""
    return (torch.arange(count)[:, None] * torch.tensor([*steps, 0])).to(dtype)


def binary(name: str, a: torch.Tensor, b: torch.Tensor, expected: torch.Tensor, dtype: torch.dtype) -> Run:
    """`a` lies in every second row: the kernel has only the offsets to know it by."""
    spread = torch.zeros((2 * len(a), *a.shape[1:]), dtype=a.dtype)
    spread[::2] = a
    count, *inner = expected.shape
    out = torch.zeros((count, *inner), dtype=dtype)
    steps = [each.stride(0) * each.element_size() for each in (out, a, b)]
    steps[1] *= 2
    return Run(name, [spread, b, out, offsets(count, *steps)], {2: expected}, count)


@family("torch", "BinaryKernel.metal", fits="offsets[tid]")
def binary_at_offsets() -> Iterator[Run]:
    a = torch.tensor([1.5, -2.0, 0.0, 3.0, float("nan"), 7.25, -0.0])
    b = torch.tensor([-1.0, 2.0, -0.5, float("nan"), 1.0, 7.25, 4.0])
    for name, dtype in DTYPES.items():
        x, y = a.to(dtype), b.to(dtype)
        yield binary(f"fmax_{name}", x, y, torch.fmax(x.double(), y.double()), dtype)
        yield binary(f"fmin_{name}", x, y, torch.fmin(x.double(), y.double()), dtype)
        yield binary(f"copysign_{name}", x, y, torch.copysign(x.double(), y.double()), dtype)
        yield binary(f"nextafter_kernel_{name}", x, y, _nextafter(x, y), dtype)
    for name, dtype in (INTEGERS | {"bool": torch.bool}).items():
        x, y = (torch.tensor(values).to(dtype) for values in ([0, 1, 2, 3], [1, 0, 1, 0]))
        yield binary(f"copysign_{name}", x, y, torch.copysign(x.double(), y.double()), torch.float32)
    for name in ("float", "half"):
        x, y = (torch.randint(-4, 5, (5, 2)).to(DTYPES[name]) for _ in range(2))
        product = torch.view_as_complex(x.double()) * torch.view_as_complex(y.double())
        yield binary(f"complex_mul_{name}", x, y, torch.view_as_real(product), x.dtype)
        real, imaginary = x[:, 0].contiguous(), x[:, 1].contiguous()
        yield binary(f"complex_kernel_{name}", real, imaginary, x.double(), x.dtype)
        polar = torch.view_as_real(torch.polar(real.double().abs(), imaginary.double()))
        yield binary(f"polar_{name}", real.abs(), imaginary, polar, x.dtype)


def _nextafter(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Of 16 bits too: for these the CPU has none, but their patterns are in the order of their values."""
    if x.dtype == torch.float32:
        return torch.nextafter(x, y)
    bits = x.view(torch.int16)
    outwards = (y > x) == (x > 0)
    stepped = torch.where(outwards, bits + 1, bits - 1).view(x.dtype)
    smallest = torch.tensor(1, dtype=torch.int16).view(x.dtype)
    stepped = torch.where(x == 0, torch.copysign(smallest, y), stepped)
    return torch.where(x == y, y, torch.where(x.isnan() | y.isnan(), torch.nan, stepped))


@family("torch", "CrossKernel.metal", fits="offsets[tid]")
def cross_at_offsets() -> Iterator[Run]:
    for name, dtype in (DTYPES | INTEGERS | {"bool": torch.bool}).items():
        a, b = (torch.randint(0, 5, (4, 3)).to(dtype) for _ in range(2))
        wide = torch.float64 if dtype.is_floating_point else torch.int64
        expected = torch.linalg.cross(a.to(wide), b.to(wide)).to(dtype)
        columns = b.T.contiguous()  # (3, 4)
        size = a.element_size()
        bound = [a, columns, torch.zeros_like(a), offsets(4, 3 * size, 3 * size, size), 1, 1, 4]
        yield Run(f"cross_{name}", bound, {2: expected}, 4)


@family("torch", "LinearAlgebra.metal", fits="naive_matmul")
def naive_matmul() -> Iterator[Run]:
    for name, dtype in DTYPES.items():
        a, b = torch.randint(-3, 4, (5, 7)).to(dtype), torch.randint(-3, 4, (7, 6)).to(dtype).T.contiguous().T
        out = torch.zeros((5, 6), dtype=dtype)
        steps = torch.tensor([*a.stride(), *b.stride(), *out.stride()])
        sizes = torch.tensor([5, 7, 6, 0], dtype=torch.int32)
        yield Run(f"naive_matmul_{name}", [a, b, out, steps, sizes], {2: a.double() @ b.double()}, 30)
