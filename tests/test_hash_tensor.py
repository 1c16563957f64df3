"""torch.hash_tensor: the bits of every kind of number, and every way to walk a tensor."""

from typing import Any

import pytest
import torch

import mpsops
import op_cases as oc

DTYPES = [torch.float32, torch.float16, torch.bfloat16]


def same(x: torch.Tensor, *args: Any, **kwargs: Any) -> None:
    on_mps = torch.empty(0, dtype=x.dtype).set_(x.untyped_storage()).to("mps")
    moved = on_mps.as_strided(x.size(), x.stride(), x.storage_offset())
    with oc.no_fallbacks():
        actual = torch.hash_tensor(moved, *args, **kwargs)
    expected = torch.hash_tensor(x, *args, **kwargs)
    assert actual.dtype is torch.uint64
    assert torch.equal(actual.cpu(), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_every_16_bit_number(dtype: torch.dtype) -> None:
    """NaN of every payload and subnormal numbers included: one output for each."""
    x = torch.arange(-(1 << 15), 1 << 15).short().view(dtype)
    same(x.view(-1, 1), 1)


def test_float32_numbers() -> None:
    """Both signs, every exponent, mantissas of every length."""
    mantissas = [
        0,
        1,
        2,
        3,
        0x7FFFFF,
        0x400000,
        0x3FFFFF,
        *(1 << k for k in range(23)),
        *range(12345, 8 << 20, 1 << 17),
    ]
    bits = torch.tensor([(e << 23) | m for e in range(256) for m in mantissas])
    bits = torch.cat([bits, bits - (1 << 31)]).int()
    same(bits.view(torch.float32).view(-1, 1), -1)
    same(bits.view(torch.float32))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8], ids=str)
def test_integers_are_extended_by_their_sign(dtype: torch.dtype) -> None:
    info = torch.iinfo(dtype)
    same(torch.tensor([info.min, -1 if info.min < 0 else 1, 0, 1, info.max], dtype=dtype).view(-1, 1), 1)
    same(torch.randint(info.min, info.max, (300, 5), dtype=dtype), 0)


def test_bool() -> None:
    same(torch.rand(1001) > 0.5)
    same(torch.rand(7, 1001) > 0.5, 1)


SHAPES: list[tuple[tuple[int, ...], Any]] = [
    ((1,), ()),
    ((31,), 0),
    ((1000,), 0),
    ((40_000,), ()),
    ((5, 7, 9), (0, 2)),
    ((5, 7, 9), (1,)),
    ((3, 1, 40), (1, 2)),
    ((2000, 3), 0),
    ((20_000, 3), 0),
    ((3, 20_000), 1),
    ((64, 40, 50), (1, 2)),
    ((64, 40, 50), (0, 1)),
    ((2, 3, 4, 5, 6), (0, 2, 4)),
]


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize(("shape", "dim"), SHAPES)
def test_shapes(shape: tuple[int, ...], dim: Any, keepdim: bool) -> None:
    x = torch.randn(shape)
    same(x, dim, keepdim=keepdim)
    same(torch.randn(shape[::-1]).permute(*range(len(shape))[::-1]), dim, keepdim=keepdim)
    same(torch.randn(*shape[:-1], 2 * shape[-1])[..., 1::2], dim, keepdim=keepdim)
    same(x[:1].expand(shape), dim, keepdim=keepdim)


@pytest.mark.parametrize("shape", [(8, 3, 40, 50), (2, 64, 5, 5)])
def test_channels_last(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape).contiguous(memory_format=torch.channels_last)
    for dim in ((), (2, 3), (0, 2, 3), 1):
        same(x, dim)


def test_empty() -> None:
    same(torch.zeros(3, 0), 0)
    same(torch.zeros(0, 3), 1, keepdim=True)
    same(torch.zeros(()), 0)
    same(torch.tensor(-0.0))


@pytest.mark.parametrize(
    ("shape", "kwargs"),
    [((3,), {"mode": 1}), ((3,), {"dim": 1}), ((3, 3), {"dim": (0, -2)}), ((0, 3), {"dim": 0}), ((0,), {})],
)
def test_errors_as_on_the_cpu(shape: tuple[int, ...], kwargs: dict[str, Any]) -> None:
    texts = []
    for device in ("cpu", "mps"):
        with pytest.raises((RuntimeError, IndexError)) as error:
            torch.hash_tensor(torch.zeros(shape, device=device), **kwargs)
        texts.append((type(error.value), str(error.value)))
    assert texts[0] == texts[1]


@pytest.mark.skipif(mpsops._C.runtime != "sim", reason="takes more memory than most Macs have")
def test_offsets_beyond_32_bits() -> None:
    far = (1 << 32) + 9
    room = torch.empty(far + 40, dtype=torch.int8, device="mps")
    x = room.as_strided((2, 40), (far, 1))
    x.copy_(torch.arange(80).view(2, 40))
    assert torch.equal(torch.hash_tensor(x, 1).cpu(), torch.hash_tensor(x.cpu(), 1))
    assert torch.equal(torch.hash_tensor(x, 0).cpu(), torch.hash_tensor(x.cpu(), 0))
