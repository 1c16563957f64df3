"""Entries for torch.func._random, whose ops torch has for CUDA alone: on the CPU they are computed here."""

import importlib.util
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.testing._internal.common_dtype import floating_types_and
from torch.testing._internal.opinfo.core import OpInfo, SampleInput

if HAVE_RANDOM := importlib.util.find_spec("torch.func._random") is not None:
    from torch.func import _random

LOW = 0xFFFFFFFF


def product(factor: int, word: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """High and low word, by halves of 16 bits: int64 does not hold the whole."""
    low = factor * (word & 0xFFFF)
    upper = factor * (word >> 16) + (low >> 16)
    return upper >> 16, ((upper & 0xFFFF) << 16) | (low & 0xFFFF)


def words(key: torch.Tensor, offset: torch.Tensor) -> list[torch.Tensor]:
    """Philox 4x32-10 of int64 seeds and offsets."""
    seed, position = key[..., 0], key[..., 1] + offset
    k0, k1 = seed & LOW, (seed >> 32) & LOW
    c0, c1 = position & LOW, (position >> 32) & LOW
    c2 = c3 = torch.zeros_like(c0)
    for _ in range(10):
        (high0, low0), (high1, low1) = product(0xD2511F53, c0), product(0xCD9E8D57, c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) & LOW, (k1 + 0xBB67AE85) & LOW
    return [c0, c1, c2, c3]


def derived(key: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    w = words(key.view(torch.int64), offset)
    return torch.stack([w[0] | (w[1] << 32), w[2] | (w[3] << 32)], -1).view(torch.uint64)


def key_split(key: torch.Tensor, num_splits: int) -> torch.Tensor:
    if key.device.type != "cpu":
        return _random.split(key, num_splits)
    offset = torch.arange(num_splits).view(-1, *(1,) * (key.dim() - 1))
    return derived(key.expand(num_splits, *key.shape).contiguous(), offset)


def key_fold_in(key: torch.Tensor, data: int) -> torch.Tensor:
    if key.device.type != "cpu":
        return _random.fold_in(key, data)
    return torch.empty_like(key).copy_(derived(key.contiguous(), torch.tensor(data)))


def draw(
    key: torch.Tensor, shape: tuple[int, ...], numbers: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """numbers() makes four of the words of a block; a key fills the trailing dimensions of its size 1."""
    dims = key.dim() - 1
    while dims > 0 and key.shape[dims - 1] == 1:
        dims -= 1
    count = math.prod(shape[dims:])
    keys = key.reshape(*key.shape[:dims], 1, 2).expand(*shape[:dims], 1, 2).contiguous()
    blocks = torch.stack(words(keys.view(torch.int64), torch.arange((count + 3) // 4)), -1)
    return numbers(blocks).flatten(-2)[..., :count].reshape(shape)


def uniform(
    key: torch.Tensor, shape: tuple[int, ...], low: float = 0, high: float = 1, dtype: Any = torch.float32
) -> torch.Tensor:
    if key.device.type != "cpu":
        return _random.uniform(key, shape, low=low, high=high, dtype=dtype)
    digits = {torch.float32: 24, torch.float16: 11, torch.bfloat16: 8}[dtype]
    start, end = (torch.tensor(bound, dtype=dtype) for bound in (low, high))
    scale = (end - start).double() / (1 << digits)
    return draw(key, shape, lambda w: (w & ((1 << digits) - 1)) * scale + start.double()).float().to(dtype)


def box_muller(w: torch.Tensor) -> torch.Tensor:
    u = ((w + 0.5) * 2.0**-32).double()
    radius, angle = (-2 * u[..., ::2].log()).sqrt(), 2 * math.pi * u[..., 1::2]
    return torch.stack([radius * angle.cos(), radius * angle.sin()], -1).flatten(-2)


def normal(
    key: torch.Tensor, shape: tuple[int, ...], mean: float = 0, std: float = 1, dtype: Any = torch.float32
) -> torch.Tensor:
    if key.device.type != "cpu":
        return _random.normal(key, shape, mean=mean, std=std, dtype=dtype)
    return (draw(key, shape, box_muller) * std + mean).float().to(dtype)


KEYS = [[42, 0], [-1, -1], [1 << 40, (1 << 32) - 1]]


def keys(device: str, *batch: int) -> torch.Tensor:
    count = math.prod(batch)
    values = torch.tensor(KEYS * (count // len(KEYS) + 1))[:count]
    values += torch.arange(count)[:, None] // len(KEYS)
    return values.view(torch.uint64).view(*batch, 2).to(device)


def key_samples(second: tuple[int, ...]) -> Callable[..., Iterator[SampleInput]]:
    def samples(
        op: Any, device: str, dtype: torch.dtype, requires_grad: bool, **kwargs: Any
    ) -> Iterator[SampleInput]:
        for batch in ((), (1,), (3,), (2, 3), (0,), (2, 0), (2, 3, 4, 5)):
            for value in second:
                yield SampleInput(keys(device, *batch), args=(value,))

    return samples


def fill_samples(first: str, second: str) -> Callable[..., Iterator[SampleInput]]:
    def samples(
        op: Any, device: str, dtype: torch.dtype, requires_grad: bool, **kwargs: Any
    ) -> Iterator[SampleInput]:
        for batch, shape in (
            ((), ()),
            ((), (1,)),
            ((), (7,)),
            ((), (3, 5)),
            ((), (0, 3)),
            ((3, 1), (3, 6)),
            ((1, 3), (4, 3)),
            ((2, 3, 1, 1), (2, 3, 5, 2)),
            ((2, 1, 5, 1), (2, 3, 5, 6)),
            ((1, 1), (2, 3)),
            ((2, 1), (2, 0)),
        ):
            for bounds in ({}, {first: -3.0, second: 2.5}):
                yield SampleInput(keys(device, *batch), args=(shape,), kwargs={**bounds, "dtype": dtype})

    return samples


def entry(name: str, op: Callable[..., torch.Tensor], dtypes: Any, samples: Any) -> OpInfo:
    return OpInfo(
        name, op=op, dtypes=dtypes, supports_out=False, supports_autograd=False, sample_inputs_func=samples
    )


FLOATING = floating_types_and(torch.half, torch.bfloat16)

op_db = (
    [
        entry("func._random.split", key_split, (torch.uint64,), key_samples((1, 2, 5))),
        entry("func._random.fold_in", key_fold_in, (torch.uint64,), key_samples((0, 1, -1, 1 << 40))),
        entry("func._random.uniform", uniform, FLOATING, fill_samples("low", "high")),
        entry("func._random.normal", normal, FLOATING, fill_samples("mean", "std")),
    ]
    if HAVE_RANDOM
    else []
)
