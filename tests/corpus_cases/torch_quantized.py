"""PyTorch 2.6: products with weights of 4 and 8 bits."""

from collections.abc import Iterator

import torch
from kernel_corpus import Run, family, msl

from corpus_cases.torch_elementwise import DTYPES


def _sizes(*values: int) -> torch.Tensor:
    return torch.tensor([*values, 0, 0][:4], dtype=torch.int32)


@family("torch", "Quantized.metal", fits="weight_to_int4pack")
def int4() -> Iterator[Run]:
    packed = torch.randint(0, 256, (8, 12), dtype=torch.uint8)
    swapped = (packed & 15) << 4 | packed >> 4
    bound = [packed.view(torch.int32), torch.zeros_like(packed), _sizes(8, 3)]
    yield Run("weight_to_int4pack", bound, {1: swapped}, (8, 3, 1), (64, 1, 1))
    for name, dtype in DTYPES.items():
        for group in (32, 64, 128, 256):
            rows, depth, columns = 3, 256, 8
            a = torch.randint(-2, 3, (rows, depth)).to(dtype)
            weight = torch.randint(0, 16, (columns, depth))
            scale = 0.5 ** torch.randint(0, 3, (depth // group, columns))
            zero = torch.randint(-2, 3, scale.shape).double()
            low, high = weight[:, ::2], weight[:, 1::2]
            every = [each.T.repeat_interleave(group, 1) for each in (scale.double(), zero)]
            expected = a.double() @ ((weight.double() - 8) * every[0] + every[1]).T
            bound = [
                a,
                (low | high << 4).to(torch.uint8),
                torch.stack([scale.double(), zero], 2).to(dtype),
                torch.zeros(rows, columns, dtype=dtype),
                _sizes(rows, depth, columns),
            ]
            yield Run(f"int4pack_mm_{group}_{name}", bound, {3: expected}, (64, 1, rows), (64, 1, 1))


def _int8(rows: int, depth: int, columns: int, dtype: torch.dtype) -> tuple[list[torch.Tensor], torch.Tensor]:
    a = torch.randint(-2, 3, (rows, depth)).to(dtype)
    weight = torch.randint(-128, 128, (columns, depth)).to(torch.int8)
    scale = (0.5 ** torch.randint(4, 8, (columns,))).to(dtype)
    expected = a.double() @ (weight.double() * scale.double()[:, None]).T
    out = torch.zeros(rows, columns, dtype=dtype)
    return [a, weight, scale, out, _sizes(rows, depth, columns)], expected


@family("torch", "Quantized.metal", fits="int8pack_mv_")
def int8_vector() -> Iterator[Run]:
    for name, dtype in DTYPES.items():
        bound, expected = _int8(3, 96, 16, dtype)
        memory = msl.ThreadgroupMemory(32)
        yield Run(f"int8pack_mv_{name}", [*bound, memory], {3: expected}, (2, 3), (64, 1), groups=True)


@family("torch", "Quantized.metal", fits="large_m_int8pack_mm_")
def int8_matrix() -> Iterator[Run]:
    """The first simdgroup reads what the others store to threadgroup memory, and does not wait for them."""
    for name, dtype in DTYPES.items():
        bound, expected = _int8(45, 96, 128, dtype)
        memory = msl.ThreadgroupMemory(12288)
        yield Run(
            f"large_m_int8pack_mm_{name}",
            [*bound, memory],
            {3: expected},
            (2, 2),
            (128, 1),
            groups=True,
            finds="is a barrier missing|data race",
        )
