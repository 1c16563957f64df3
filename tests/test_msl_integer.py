"""Integer functions of every type, bit for bit; of vectors, as of their elements."""

from collections.abc import Callable

import pytest
import torch
from exec_support import compile_kernels, msl

BITS = {"char": 8, "uchar": 8, "short": 16, "ushort": 16, "int": 32, "uint": 32, "long": 64, "ulong": 64}
DTYPES = {8: torch.int8, 16: torch.int16, 32: torch.int32, 64: torch.int64}


class Integer:
    """Arithmetic of one type."""

    def __init__(self, name: str) -> None:
        self.bits = BITS[name]
        self.signed = not name.startswith("u")
        self.low = -(1 << (self.bits - 1)) if self.signed else 0
        self.high = (1 << (self.bits - self.signed)) - 1

    def wrap(self, x: int) -> int:
        x &= (1 << self.bits) - 1
        return x - (1 << self.bits) if self.signed and x >> (self.bits - 1) else x

    def unsigned(self, x: int) -> int:
        return x & ((1 << self.bits) - 1)

    def saturate(self, x: int) -> int:
        return min(max(x, self.low), self.high)

    def rotate(self, x: int, y: int) -> int:
        left = y % self.bits
        return self.unsigned(x) << left | self.unsigned(x) >> (self.bits - left)

    def extract(self, x: int, offset: int, count: int) -> int:
        field = self.unsigned(x) >> offset & ((1 << count) - 1)
        return field - (1 << count) if self.signed and count and field >> (count - 1) else field


def low24(t: Integer, x: int) -> int:
    x &= 0xFFFFFF
    return x - (1 << 24) if t.signed and x >> 23 else x


# The call and its result, of a, b and c.
FUNCTIONS: dict[str, tuple[str, Callable[[Integer, int, int, int], int]]] = {
    "abs": ("abs(a)", lambda t, a, b, c: abs(a)),
    "absdiff": ("absdiff(a, b)", lambda t, a, b, c: abs(a - b)),
    "addsat": ("addsat(a, b)", lambda t, a, b, c: t.saturate(a + b)),
    "clamp": ("clamp(a, min(b, c), max(b, c))", lambda t, a, b, c: min(max(a, min(b, c)), max(b, c))),
    "clz": ("clz(a)", lambda t, a, b, c: t.bits - t.unsigned(a).bit_length()),
    "ctz": ("ctz(a)", lambda t, a, b, c: (t.unsigned(a) & -t.unsigned(a)).bit_length() - 1 if a else t.bits),
    "extract_bits": ("extract_bits(a, 3, 4)", lambda t, a, b, c: t.extract(a, 3, 4)),
    "extract_no_bits": ("extract_bits(a, 3, 0)", lambda t, a, b, c: 0),
    "hadd": ("hadd(a, b)", lambda t, a, b, c: (a + b) >> 1),
    "insert_bits": (
        "insert_bits(a, b, 2, 5)",
        lambda t, a, b, c: (t.unsigned(a) & ~(31 << 2)) | (t.unsigned(b) & 31) << 2,
    ),
    "madhi": ("madhi(a, b, c)", lambda t, a, b, c: (a * b >> t.bits) + c),
    "madsat": ("madsat(a, b, c)", lambda t, a, b, c: t.saturate(a * b + c)),
    "max": ("max(a, b)", lambda t, a, b, c: max(a, b)),
    "max3": ("max3(a, b, c)", lambda t, a, b, c: max(a, b, c)),
    "median3": ("median3(a, b, c)", lambda t, a, b, c: sorted((a, b, c))[1]),
    "min": ("min(a, b)", lambda t, a, b, c: min(a, b)),
    "min3": ("min3(a, b, c)", lambda t, a, b, c: min(a, b, c)),
    "mulhi": ("mulhi(a, b)", lambda t, a, b, c: a * b >> t.bits),
    "popcount": ("popcount(a)", lambda t, a, b, c: t.unsigned(a).bit_count()),
    "reverse_bits": ("reverse_bits(a)", lambda t, a, b, c: int(f"{t.unsigned(a):0{t.bits}b}"[::-1], 2)),
    "rhadd": ("rhadd(a, b)", lambda t, a, b, c: (a + b + 1) >> 1),
    "rotate": ("rotate(a, b)", lambda t, a, b, c: t.rotate(a, b)),
    "subsat": ("subsat(a, b)", lambda t, a, b, c: t.saturate(a - b)),
}
OF_24_BITS: dict[str, tuple[str, Callable[[Integer, int, int, int], int]]] = {
    "mad24": ("mad24(a, b, c)", lambda t, a, b, c: low24(t, a) * low24(t, b) + c),
    "mul24": ("mul24(a, b)", lambda t, a, b, c: low24(t, a) * low24(t, b)),
}


def functions_of(name: str) -> dict[str, tuple[str, Callable[[Integer, int, int, int], int]]]:
    return FUNCTIONS | (OF_24_BITS if BITS[name] == 32 else {})


def _kernels(t: str) -> str:
    calls = [call for call, _ in functions_of(t).values()]
    scalar = "".join(f" r[{k}] = {t}({call});" for k, call in enumerate(calls))
    source = (
        f"kernel void scalar_{t}(device {t}* o, constant {t}* x, uint i [[thread_position_in_grid]]) {{\n"
        f"  const {t} a = x[3 * i], b = x[3 * i + 1], c = x[3 * i + 2];\n"
        f"  device {t}* r = o + {len(calls)} * i;{scalar}\n}}\n"
    )
    for n in (2, 3, 4):
        vector = "".join(f" store(r + {4 * k}, {t}{n}({call}));" for k, call in enumerate(calls))
        arguments = [", ".join(f"x[3 * ({n} * i + {j}) + {k}]" for j in range(n)) for k in range(3)]
        source += (
            f"void store(device {t}* r, {t}{n} v) {{ for (int j = 0; j < {n}; ++j) r[j] = v[j]; }}\n"
            f"kernel void vector_{t}{n}(device {t}* o, constant {t}* x, uint i [[thread_position_in_grid]]) {{\n"
            f"  const {t}{n} a = {t}{n}({arguments[0]}), b = {t}{n}({arguments[1]}), c = {t}{n}({arguments[2]});\n"
            f"  device {t}* r = o + {4 * len(calls)} * i;{vector}\n}}\n"
        )
    return source


SOURCE = "".join(_kernels(t) for t in BITS)


@pytest.fixture(scope="module")
def kernels() -> msl.Library:
    return compile_kernels(SOURCE, "integer.metal")


def samples(t: Integer) -> list[int]:
    edges = [0, 1, 2, 3, t.low, t.low + 1, t.high, t.high - 1, t.wrap(-1), 1 << 23 & t.high, t.high // 2 + 1]
    generator = torch.Generator().manual_seed(t.bits)
    words = torch.randint(-(2**63), 2**63 - 1, (120 * 3,), generator=generator).tolist()
    # Numbers of every length.
    values = [t.wrap(word) >> (position % t.bits) for position, word in enumerate(words)]
    return [x for a in edges for b in edges for x in (a, b, edges[(a + b) % len(edges)])] + values


def tensor(values: list[int], t: Integer) -> torch.Tensor:
    half = 1 << (t.bits - 1)
    return torch.tensor([(x + half) % (2 * half) - half for x in values], dtype=DTYPES[t.bits])


@pytest.mark.parametrize("name", BITS)
def test_scalars(kernels: msl.Library, name: str) -> None:
    t = Integer(name)
    x = samples(t)
    functions = functions_of(name)
    count = len(x) // 3
    got = torch.zeros(count, len(functions), dtype=DTYPES[t.bits], device="mps")
    kernels[f"scalar_{name}"](got, tensor(x, t).to("mps"), threads=count)
    for k, (function, (_, reference)) in enumerate(functions.items()):
        wanted = tensor([t.wrap(reference(t, *x[3 * i : 3 * i + 3])) for i in range(count)], t)
        wrong = (got[:, k].cpu() != wanted).nonzero().flatten().tolist()
        assert not wrong, (function, x[3 * wrong[0] : 3 * wrong[0] + 3], got[wrong[0], k].item())


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("name", BITS)
def test_vectors(kernels: msl.Library, name: str, size: int) -> None:
    t = Integer(name)
    x = tensor(samples(t), t).to("mps")
    count = len(x) // 3 // size
    functions = functions_of(name)
    scalar = torch.zeros(count * size, len(functions), dtype=x.dtype, device="mps")
    vector = torch.zeros(count, len(functions), 4, dtype=x.dtype, device="mps")
    kernels[f"scalar_{name}"](scalar, x, threads=count * size)
    kernels[f"vector_{name}{size}"](vector, x, threads=count)
    assert torch.equal(vector.cpu()[:, :, :size], scalar.cpu().view(count, size, -1).transpose(1, 2))
