"""PyTorch 2.12: random numbers, from the same generator written in integers of Python."""

from collections.abc import Iterator

import numpy as np
import torch
from kernel_corpus import Run, family

from corpus_cases.torch_elementwise import DTYPES

WORD = (1 << 32) - 1


def _uniform(counter: int, seeds: tuple[int, int], keys: tuple[int, int]) -> np.float32:
    """Philox 4x32 in ten rounds (Salmon and others, 2011), the low 24 bits of its first word."""
    a, b, c, d = counter & WORD, *seeds, 0
    k0, k1 = keys
    for _ in range(10):
        first, second = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = second >> 32 ^ b ^ k0, second & WORD, first >> 32 ^ d ^ k1, first & WORD
        k0, k1 = k0 + 0x9E3779B9 & WORD, k1 + 0xBB67AE85 & WORD
    return np.float32((a & 0xFFFFFF) + 0.5) * np.float32(2**-24)


@family("torch", "Distributions.metal", fits="poisson_kernel")
def poisson() -> Iterator[Run]:
    """By products of uniform numbers: below 10."""
    counter, *state = 1 << 32 - 1, 7, 99, 0x12345678, 0x9ABCDEF0
    rates = [0.0, 0.5, 1.0, 2.0, 4.5, 9.0, 0.25, 3.0]
    expected = []
    for thread, rate in enumerate(rates):
        count, product, at = 0, np.float32(1), counter + 10 * thread
        while rate:
            product *= _uniform(at + count, (state[0], state[1]), (state[2], state[3]))
            if product <= np.exp(np.float32(-rate)):
                break
            count += 1
        expected.append(float(count))
    words = torch.from_numpy(np.array([counter, *state], dtype=np.uint32).view(np.int32))
    for name, dtype in DTYPES.items():
        x = torch.tensor(rates, dtype=dtype)
        yield Run(f"poisson_{name}", [x, torch.zeros_like(x), words], {1: torch.tensor(expected)}, len(rates))
