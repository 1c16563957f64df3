"""Pack and unpack, bit for bit: every value that there is, and what lies between and outside."""

from collections.abc import Iterator

import pytest
import torch
from exec_support import compile_kernels, msl

# Name of the format, bits of each element from the lowest, whether signed, type of the bits.
FORMATS: dict[str, tuple[list[int], bool, str]] = {
    "snorm4x8": ([8] * 4, True, "uint"),
    "unorm4x8": ([8] * 4, False, "uint"),
    "snorm2x16": ([16] * 2, True, "uint"),
    "unorm2x16": ([16] * 2, False, "uint"),
    "unorm10a2": ([10, 10, 10, 2], False, "uint"),
    "unorm565": ([5, 6, 5], False, "ushort"),
}
TYPES = {"float": torch.float32, "half": torch.float16}

SOURCE = "".join(
    f"kernel void pack_{t}_{name}(device uint* o, constant packed_{t}{len(bits)}* x, uint i [[thread_position_in_grid]])"
    f" {{ o[i] = pack_{t}_to_{name}(x[i]); }}\n"
    f"kernel void unpack_{t}_{name}(device packed_{t}{len(bits)}* o, constant uint* x, uint i [[thread_position_in_grid]])"
    f" {{ o[i] = unpack_{name}_to_{t}({word}(x[i])); }}\n"
    for name, (bits, _, word) in FORMATS.items()
    for t in TYPES
) + "".join(
    f"kernel void pack_srgb_{t}(device uint* o, constant {t}4* x, uint i [[thread_position_in_grid]])"
    f" {{ o[i] = pack_{t}_to_srgb_unorm4x8(x[i]); }}\n"
    f"kernel void unpack_srgb_{t}(device {t}4* o, constant uint* x, uint i [[thread_position_in_grid]])"
    f" {{ o[i] = unpack_unorm4x8_srgb_to_{t}(x[i]); }}\n"
    for t in TYPES
) + """
static_assert(is_same_v<decltype(pack_float_to_unorm565(float3())), ushort>, "");
static_assert(is_same_v<decltype(unpack_unorm565_to_half(ushort(0))), half3>, "");
"""  # fmt: skip


@pytest.fixture(scope="module")
def kernels() -> msl.Library:
    return compile_kernels(SOURCE, "pack.metal")


def fields(words: torch.Tensor, bits: list[int], signed: bool) -> Iterator[tuple[torch.Tensor, int]]:
    """Of each element the integers, and the largest that there is."""
    for width in bits:
        field = words & ((1 << width) - 1)
        if signed:
            field = torch.where(field >> (width - 1) == 1, field - (1 << width), field)
        yield field, (1 << (width - signed)) - 1
        words = words >> width


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("t", TYPES)
def test_unpack(kernels: msl.Library, t: str, name: str) -> None:
    bits, signed, _ = FORMATS[name]
    words = (torch.arange(2**16) * 0x10001) ^ (torch.arange(2**16) >> 3 << 16)
    words &= 2 ** sum(bits) - 1
    out = torch.zeros(len(words), len(bits), dtype=TYPES[t], device="mps")
    kernels[f"unpack_{t}_{name}"](out, words.to(torch.int32).to("mps"), threads=len(words))
    columns = [(field.float() / largest).clamp(min=-1.0) for field, largest in fields(words, bits, signed)]
    assert torch.equal(out.cpu(), torch.stack(columns, 1).to(TYPES[t]))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("t", TYPES)
def test_pack(kernels: msl.Library, t: str, name: str) -> None:
    bits, signed, _ = FORMATS[name]
    generator = torch.Generator().manual_seed(len(name))
    x = torch.rand(4000, len(bits), generator=generator) * 2.5 - 1.25
    special = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, float("inf"), -float("inf"), float("nan"), 1e-6]
    x[: len(special)] = torch.tensor(special)[:, None]
    x = x.to(TYPES[t])
    out = torch.zeros(len(x), dtype=torch.int32, device="mps")
    kernels[f"pack_{t}_{name}"](out, x.to("mps"), threads=len(x))
    low = -1.0 if signed else 0.0
    wanted = torch.zeros(len(x), dtype=torch.int64)
    at = 0
    for column, width in zip(x.unbind(1), bits, strict=True):
        largest = (1 << (width - signed)) - 1
        integers = (column.float().nan_to_num(0.0).clamp(low, 1.0) * largest).round().long()
        wanted |= (integers & ((1 << width) - 1)) << at
        at += width
    assert torch.equal(out.cpu(), wanted.to(torch.int32))


@pytest.mark.parametrize("name", FORMATS)
def test_what_was_unpacked_packs_to_the_same(kernels: msl.Library, name: str) -> None:
    bits, signed, _ = FORMATS[name]
    words = torch.arange(2**16) * (0x10001 if sum(bits) == 32 else 1)
    if signed:  # the smallest integer is -1 as well as its neighbour is
        words = words[torch.stack([f != -largest - 1 for f, largest in fields(words, bits, True)]).all(0)]
    words = words.to(torch.int32).to("mps")
    x = torch.zeros(len(words), len(bits), device="mps")
    again = torch.zeros_like(words)
    kernels[f"unpack_float_{name}"](x, words, threads=len(words))
    kernels[f"pack_float_{name}"](again, x, threads=len(words))
    assert torch.equal(again.cpu(), words.cpu())


@pytest.mark.parametrize("t", TYPES)
def test_srgb(kernels: msl.Library, t: str) -> None:
    byte = torch.arange(256)
    words = (byte | byte << 8 | byte << 16 | byte << 24).to(torch.int32).to("mps")
    out = torch.zeros(256, 4, dtype=TYPES[t], device="mps")
    kernels[f"unpack_srgb_{t}"](out, words, threads=256)
    s = byte.double() / 255
    linear = torch.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)
    torch.testing.assert_close(out.cpu()[:, :3].double(), linear[:, None].expand(-1, 3), rtol=1e-3, atol=1e-7)
    assert torch.equal(out.cpu()[:, 3], (byte.float() / 255).to(TYPES[t]))
    again = torch.zeros_like(words)
    kernels[f"pack_srgb_{t}"](again, out, threads=256)
    assert torch.equal(again.cpu(), words.cpu())
    outside = torch.tensor([[-1.0, 2.0, float("nan"), 2.0]], dtype=TYPES[t], device="mps")
    kernels[f"pack_srgb_{t}"](again, outside, threads=1)
    assert again[0].item() & 0xFFFFFFFF == 0xFF00FF00
