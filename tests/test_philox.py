"""The _philox ops beyond the entries: published numbers, keys and outputs of any layout, checks, statistics.

torch has kernels for CUDA alone: texts and numbers are theirs.
"""

from typing import Any

import numpy as np
import pytest
import torch
from philox_reference import philox
from scipy import stats
from torch.func import _random

import mpsops

aten = torch.ops.aten


def test_reference_has_the_published_numbers() -> None:
    """Known answers of the Random123 library for philox4x32-10."""
    ones, pi = 0xFFFFFFFF, (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0)
    for counter, key, expected in (
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ones,) * 4, (ones,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (pi[:4], pi[4:], (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
    ):
        assert tuple(int(word) for word in philox(counter, key, 10)) == expected


def block(seed: int, offset: int) -> list[int]:
    words = ((value & 0xFFFFFFFF, value >> 32) for value in (offset, seed))
    position, key = words
    return [int(word) for word in philox((*position, 0, 0), key, 10)]


def derived(seed: int, offset: int) -> list[int]:
    words = block(seed, offset % 2**64)
    return [words[0] | (words[1] << 32), words[2] | (words[3] << 32)]


SEEDS = [(0, 0), (42, 0), (2**64 - 1, 2**64 - 1), (0x123456789ABCDEF0, 0xFFFFFFFF), (7, 2**63)]


@pytest.mark.parametrize(("seed", "offset"), SEEDS)
def test_keys(seed: int, offset: int) -> None:
    key = torch.tensor([seed, offset], dtype=torch.uint64, device="mps")
    split = aten._philox_key_split(key, 5)
    assert split.tolist() == [derived(seed, offset + i) for i in range(5)]
    for data in (0, 4, -1, 2**40, 2**63 - 1):
        assert aten._philox_key_fold_in(key, data).tolist() == derived(seed, offset + data)


@pytest.mark.parametrize(("seed", "offset"), SEEDS)
def test_uniform_numbers(seed: int, offset: int) -> None:
    key = torch.tensor([seed, offset], dtype=torch.uint64, device="mps")
    words = np.array([word for i in range(3) for word in block(seed, (offset + i) % 2**64)])
    for dtype, digits in ((torch.float32, 24), (torch.float16, 11), (torch.bfloat16, 8)):
        expected = torch.from_numpy((words % 2**digits) * 2.0**-digits)[:10]
        assert torch.equal(_random.uniform(key, 10, dtype=dtype).cpu().double(), expected)


def make_keys(*batch: int) -> torch.Tensor:
    return torch.arange(2 * int(np.prod(batch))).view(torch.uint64).view(*batch, 2).to("mps")


def dispatches() -> int:
    return sum(row.dispatches for row in mpsops.ops() if row.family == "philox")


def test_keys_of_any_layout() -> None:
    memory = make_keys(4, 6)
    for keys in (
        memory.transpose(0, 1),
        memory[1:, ::2],
        memory[:1].expand(3, 6, 2),
        memory.view(-1).as_strided((3, 2), (1, 5)),
    ):
        dense = keys.cpu().contiguous().to("mps")
        before = dispatches()
        split, folded = aten._philox_key_split(keys, 3), aten._philox_key_fold_in(keys, 5)
        assert dispatches() == before + 2
        assert torch.equal(split.cpu(), aten._philox_key_split(dense, 3).cpu())
        assert torch.equal(folded.cpu(), aten._philox_key_fold_in(dense, 5).cpu())
        assert folded.stride() == torch.empty_like(keys).stride()


OUTPUTS: dict[str, Any] = {
    "transposed": lambda: torch.zeros(6, 5, 4, device="mps").transpose(0, 2),
    "strided": lambda: torch.zeros(4, 10, 7, device="mps")[:, ::2, 1:],
    "offset": lambda: torch.zeros(123, device="mps")[3:].view(4, 5, 6),
    "channels_last": lambda: torch.zeros(4, 6, 5, device="mps").permute(0, 2, 1),
}


@pytest.mark.parametrize("layout", OUTPUTS)
@pytest.mark.parametrize("op", ["_philox_uniform", "_philox_normal"])
def test_outputs_of_any_layout_in_one_dispatch(op: str, layout: str) -> None:
    """Numbers belong to positions: neither the output's strides nor the key's change them."""
    memory = make_keys(6, 5, 4)
    for key in (
        make_keys(),
        memory.view(-1).as_strided((2,), (7,)),
        memory.permute(2, 1, 0, 3),
        memory[:1, :, :1],
        memory[:1, :1, :1],
        memory[:4, :, :1],
        memory[:4, :1, :1],
    ):
        expected = getattr(aten, op)(torch.empty(4, 5, 6, device="mps"), key.clone().contiguous(), -1.0, 2.0)
        output = OUTPUTS[layout]()
        before = dispatches()
        assert getattr(aten, op + "_")(output, key, -1.0, 2.0) is output
        assert dispatches() == before + 1
        assert torch.equal(output, expected)
        assert (expected != 0).all()


def test_batched_keys_draw_what_each_alone_does() -> None:
    keys = make_keys(3)
    for function in (_random.uniform, _random.normal):
        whole = function(keys.view(3, 1, 2), (3, 7))
        for row in range(3):
            assert torch.equal(whole[row], function(keys[row], (7,)))
        assert torch.equal(function(keys[0], (3, 7)).flatten(), function(keys[0], (21,)))


def test_distributions() -> None:
    key = _random.key(1, device="mps")
    uniform = _random.uniform(key, (100_000,), low=-1.0, high=3.0).cpu().double().numpy()
    assert uniform.min() >= -1
    assert uniform.max() < 3
    assert stats.kstest((uniform + 1) / 4, "uniform").pvalue > 1e-3
    normal = _random.normal(key, (100_000,), mean=2.0, std=3.0).cpu().double().numpy()
    assert stats.kstest((normal - 2) / 3, "norm").pvalue > 1e-3
    for values in (uniform, normal):
        for distance in (1, 2, 3, 4, 8):
            assert abs(stats.pearsonr(values[:-distance], values[distance:]).statistic) < 4 / 100_000**0.5


def test_generators_are_left_alone() -> None:
    state, cpu_state = torch.mps.get_rng_state(), torch.get_rng_state()
    key = _random.key(1, device="mps")
    _random.normal(_random.split(key)[0], (10,))
    assert torch.equal(state, torch.mps.get_rng_state())
    assert torch.equal(cpu_state, torch.get_rng_state())


def test_empty_launches_nothing() -> None:
    before = dispatches()
    assert aten._philox_key_split(make_keys(0), 3).shape == (3, 0, 2)
    assert aten._philox_key_fold_in(make_keys(0), 3).shape == (0, 2)
    assert _random.uniform(make_keys(), (0, 3)).shape == (0, 3)
    assert _random.normal(make_keys(2, 1), (2, 0)).shape == (2, 0)
    assert dispatches() == before


ERRORS: dict[str, tuple[str, Any]] = {
    "split shape": (
        "_philox_key_split: key must have shape (*batch, 2), got shape [3]",
        lambda x, key: aten._philox_key_split(torch.zeros(3, dtype=torch.uint64, device="mps"), 2),
    ),
    "split dtype": (
        "_philox_key_split: key must have dtype uint64, got Long",
        lambda x, key: aten._philox_key_split(key.view(torch.int64), 2),
    ),
    "splits": (
        "_philox_key_split: num_splits must be positive, got 0",
        lambda x, key: aten._philox_key_split(key, 0),
    ),
    "fold shape": (
        "_philox_key_fold_in: key must have shape (*batch, 2), got shape []",
        lambda x, key: aten._philox_key_fold_in(key[0], 1),
    ),
    "fold dtype": (
        "_philox_key_fold_in: key must have dtype uint64, got Float",
        lambda x, key: aten._philox_key_fold_in(torch.zeros(2, device="mps"), 1),
    ),
    "integers": (
        "_philox_uniform_: self must be a floating point tensor, got Int",
        lambda x, key: aten._philox_uniform_(x.int(), key),
    ),
    "key dtype": (
        "_philox_normal_: key must have dtype uint64, got Long",
        lambda x, key: aten._philox_normal_(x, key.view(torch.int64)),
    ),
    "device": (
        "_philox_normal_: self and key must be on the same device, got mps:0 and cpu",
        lambda x, key: aten._philox_normal_(x, key.cpu()),
    ),
    "key shape": (
        "_philox_uniform_: key must have shape (2,) or (*batch, 2), got shape [1]",
        lambda x, key: aten._philox_uniform_(x, key[:1]),
    ),
    "key dimensions": (
        "_philox_uniform_: batched key must have ndim == output ndim + 1, "
        "got key shape [1, 2] with output shape [2, 3]",
        lambda x, key: aten._philox_uniform_(x, key[None]),
    ),
    "key sizes": (
        "_philox_uniform_: key batch shape [1, 2] is not broadcastable with output shape [2, 3]",
        lambda x, key: aten._philox_uniform_(x, key.expand(1, 2, 2)),
    ),
    "overlap": (
        "unsupported operation: more than one element of the written-to tensor",
        lambda x, key: aten._philox_uniform_(x[:1].expand(4, 3), key),
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    text, call = ERRORS[name]
    with pytest.raises(RuntimeError) as raised:
        call(torch.zeros(2, 3, device="mps"), make_keys())
    assert str(raised.value).startswith(text)
