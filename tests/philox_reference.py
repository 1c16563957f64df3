"""Philox 4x32 (Salmon et al. 2011) in NumPy, and what metal/common/random.h draws for an element from it."""

from collections.abc import Callable

import numpy as np

Words = np.ndarray  # uint32 values in the low half of uint64


def philox(counter: tuple[Words, Words, Words, Words], key: tuple[Words, Words], rounds: int) -> list[Words]:
    c0, c1, c2, c3 = (np.asarray(word, dtype=np.uint64) for word in counter)
    k0, k1 = (np.asarray(word, dtype=np.uint64) for word in key)
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(rounds):
        first, second = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (second >> half) ^ c1 ^ k0, second & low, (first >> half) ^ c3 ^ k1, first & low
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & low, (k1 + np.uint64(0xBB67AE85)) & low
    return [c0, c1, c2, c3]


def element_words(seed: int, index: np.ndarray, block: int = 0) -> Words:
    """Four words of each of these elements of the first call after manual_seed(seed), in shape (elements, 4).

    The counter is the block, 0, and the high and low word of the element's index; the key has the seed's high
    word first. torch's kernels for MPS run 9 rounds.
    """
    low = index.astype(np.uint64)
    zero = np.zeros_like(low)
    key = (zero + np.uint64(seed >> 32), zero + np.uint64(seed & 0xFFFFFFFF))
    return np.stack(philox((zero + np.uint64(block), zero, zero, low), key, 9), axis=1)


def fine_uniforms(seed: int, count: int) -> np.ndarray:
    """In [0, 1], as float64, from the first two words of elements 0 to count - 1."""
    words = element_words(seed, np.arange(count))
    return (words[:, 0].astype(np.float64) * 2.0**32 + words[:, 1]) * 2.0**-64


def reject(seed: int, count: int, trial: Callable[..., tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """A rejection sampler in float64: trial(u, margin, v) is a candidate, and whether it is accepted.

    u is in [-1/2, 1/2), margin its distance from the nearer end, v in (0, 1).
    """
    result = np.empty(count)
    index = np.arange(count)
    for block in range(100):
        words = element_words(seed, index, block)
        pending = np.ones(len(index), dtype=bool)
        for first, second in ((0, 1), (2, 3)):
            signed = words[:, first].astype(np.uint32).view(np.int32).astype(np.float64)
            with np.errstate(invalid="ignore", divide="ignore"):
                k, accepted = trial(
                    signed * 2.0**-32, 0.5 - np.abs(signed) * 2.0**-32, (words[:, second] + 0.5) * 2.0**-32
                )
            result[index[pending & accepted]] = k[pending & accepted]
            pending &= ~accepted
        index = index[pending]
        if len(index) == 0:
            return result
    raise AssertionError("no end of rejections")
