"""binomial beyond OpInfo's samples: the distribution for few and many trials, and the stream of numbers."""

import math

import numpy as np
import pytest
import torch
from philox_reference import fine_uniforms, reject
from scipy import stats
from test_poisson import chi_square

import mpsops

COUNT = 200_000
# Trials, probability: waiting for successes or failures, rejection, and both sides of 10 expected.
PARAMETERS = [
    (1, 1e-6),
    (1, 0.3),
    (7, 0.5),
    (10, 0.99),
    (19, 0.5),
    (20, 0.5),
    (21, 0.5),
    (40, 0.75),
    (100, 0.0999),
    (100, 0.1),
    (100, 0.95),
    (1000, 0.3),
    (1000, 0.999),
    (1e6, 1e-6),
    (1e6, 0.2),
    (1e6, 0.999),
    (2**24, 0.3),
]


def draw(
    count: torch.Tensor, prob: torch.Tensor, seed: int | None = 0, generator: torch.Generator | None = None
) -> torch.Tensor:
    if seed is not None:
        torch.manual_seed(seed)
    return torch.binomial(count, prob, generator)


def filled(n: float, p: float, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.full((size,), float(n), device="mps"), torch.full((size,), float(p), device="mps")


def drawn(n: float, p: float, size: int = COUNT) -> np.ndarray:
    return draw(*filled(n, p, size)).cpu().double().numpy()


@pytest.mark.parametrize(("n", "p"), PARAMETERS)
def test_distribution(n: float, p: float) -> None:
    p = float(np.float32(p))
    values = drawn(n, p)
    assert ((values >= 0) & (values <= n) & (values == np.floor(values))).all()
    mean, variance = n * p, n * p * (1 - p)
    # Four standard errors of the mean and of the variance.
    assert abs(values.mean() - mean) < 4 * math.sqrt(variance / COUNT)
    assert abs(values.var() / variance - 1) < 4 * math.sqrt((2 + 1 / variance) / COUNT)
    if variance > 1e-3:
        assert chi_square(values, stats.binom(int(n), p)) > 1e-3


@pytest.mark.parametrize(("n", "p"), [(1e9, 0.7), (1e12, 0.5), (1e30, 0.1), (1e12, 5e-12), (1e38, 0.4)])
def test_counts_beyond_whole_floats(n: float, p: float) -> None:
    """Counts are rounded to float32, whose spacing may be coarser than the deviation."""
    n, p = float(np.float32(n)), float(np.float32(p))
    values = drawn(n, p, 20_000)
    mean, deviation = n * p, math.sqrt(n * p * (1 - p))
    spacing = float(np.spacing(np.float32(max(mean, n - mean if p > 0.5 else 0))))
    assert abs(values.mean() - mean) < 4 * deviation / math.sqrt(20_000) + spacing
    if deviation > 10 * spacing:
        assert abs(values.std() / deviation - 1) < 0.03


def test_neighbours_are_independent() -> None:
    for n, p in ((3, 0.4), (50, 0.1), (100, 0.5)):
        values = drawn(n, p)
        for distance in (1, 2, 3, 4, 32, 1024, COUNT // 4):
            correlation = stats.pearsonr(values[:-distance], values[distance:]).statistic
            assert abs(correlation) < 4 / math.sqrt(COUNT - distance)


def test_special_values() -> None:
    """As on the CPU, whose kernel makes inf or NaN of (inf, 0.5) and never ends for (NaN, 0.5)."""
    inf, nan = math.inf, math.nan
    certain = [
        (count, prob)
        for count in (3.0, 2.5, 0.0, -1.0, inf, nan)
        for prob in (0.0, -0.0, 1.0, -0.5, 1.5, inf, -inf, nan)
    ]
    count, prob = torch.tensor([pair for pair in certain if not all(map(math.isnan, pair))]).T
    expected = torch.binomial(count, prob)
    torch.testing.assert_close(
        draw(count.to("mps"), prob.to("mps")).cpu(), expected, rtol=0, atol=0, equal_nan=True
    )
    count, prob = (
        torch.tensor(values, device="mps") for values in ([inf, inf, nan, nan], [0.3, 0.7, 0.4, nan])
    )
    torch.testing.assert_close(
        draw(count, prob).cpu(), torch.tensor([inf, inf, nan, nan]), rtol=0, atol=0, equal_nan=True
    )


def test_fractions_of_a_trial() -> None:
    """A count that is not whole has floor(count) trials; failures are subtracted from it, as on the CPU."""
    for n, p in ((2.5, 0.3), (40.25, 0.4)):
        assert np.array_equal(drawn(n, p, 1000), drawn(math.floor(n), p, 1000))
        fraction = n - math.floor(n)
        assert np.array_equal(drawn(n, 1 - p, 1000), drawn(math.floor(n), 1 - p, 1000) + fraction)
    assert (drawn(0.5, 0.4, 100) == 0).all()


def test_failures_mirror_successes() -> None:
    for n in (9, 100):
        assert np.array_equal(drawn(n, 0.25, 1000), n - drawn(n, 0.75, 1000))


def test_seed_and_generator() -> None:
    arguments = filled(30, 0.4, 1001)
    assert torch.equal(draw(*arguments, 5), draw(*arguments, 5))
    assert not torch.equal(draw(*arguments, 5), draw(*arguments, 6))
    first = draw(*arguments, 5)
    assert not torch.equal(first, draw(*arguments, None))
    torch.manual_seed(7)
    state, cpu_state = torch.mps.get_rng_state(), torch.get_rng_state()
    own = torch.Generator("mps").manual_seed(5)
    assert torch.equal(draw(*arguments, None, own), first)
    assert torch.equal(state, torch.mps.get_rng_state())
    assert torch.equal(cpu_state, torch.get_rng_state())
    with pytest.raises(RuntimeError, match="Expected a 'mps' device type for generator but found 'cpu'"):
        draw(*arguments, None, torch.Generator("cpu"))


def test_generator_advances_by_one_block_per_element() -> None:
    """Whatever the elements draw: a call over 30 is one over any 10 and one over the other 20."""
    count = torch.tensor([5.0, 50.0, 500.0] * 10, device="mps")
    prob = torch.linspace(0.05, 0.95, 30, device="mps")
    whole = draw(count, prob)
    for first in ((count[:10], prob[:10]), filled(1, 0.0, 10)):
        draw(*first)
        assert torch.equal(whole[10:], draw(count[10:], prob[10:], None))
    assert torch.equal(whole[:10], draw(count[:10], prob[:10]))


def test_broadcasting_and_layouts() -> None:
    """The numbers belong to logical positions: no stride changes them. One dispatch, contiguous results."""
    count = torch.arange(120.0, device="mps").view(4, 5, 6)
    prob = torch.linspace(0.0, 1.0, 120, device="mps").view(4, 5, 6)
    for first, second in (
        (count, prob),
        (count.permute(2, 0, 1), prob.permute(2, 0, 1)),
        (count[:, ::2], prob[:, :3, 1:2]),
        (count[0], prob),
        (count[:1], prob[0, 0, 0]),
        (count[0, 0, 5], prob[1]),
        (count[..., :1].expand(4, 5, 6), prob.transpose(0, 2).contiguous().transpose(0, 2)),
    ):
        dense = [t.contiguous() for t in torch.broadcast_tensors(first, second)]
        expected = draw(*dense)
        mpsops.reset_counts()
        result = draw(first, second)
        assert sum(row.dispatches for row in mpsops.ops()) == 1
        assert torch.equal(result, expected)
        assert result.is_contiguous()


def test_more_elements_than_threads() -> None:
    """From 2^18 elements on, a thread computes four: element i draws what it does in a smaller call."""
    count, prob = filled(30, 0.4, (1 << 18) + 3)
    whole = draw(count, prob)
    assert torch.equal(whole[:1000], draw(count[:1000], prob[:1000]))
    draw(count[:-5], prob[:-5])
    assert torch.equal(whole[-5:], draw(count[-5:], prob[-5:], None))


def test_empty_draws_nothing() -> None:
    state = torch.mps.get_rng_state()
    assert draw(torch.empty(0, 3, device="mps"), torch.ones(3, device="mps"), None).shape == (0, 3)
    assert torch.equal(state, torch.mps.get_rng_state())


def test_mixed_devices_raise() -> None:
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        draw(torch.ones(3, device="mps"), torch.ones(3))


def test_no_gradient_as_on_the_cpu() -> None:
    count, prob = filled(30, 0.4, 3)
    with pytest.raises(RuntimeError, match="derivative for aten::binomial is not implemented"):
        draw(count, prob.requires_grad_()).sum().backward()


def test_distributions() -> None:
    torch.manual_seed(0)
    prob = torch.tensor([0.1, 0.9], device="mps")
    values = torch.distributions.Binomial(torch.tensor(100.0, device="mps"), prob).sample((5000,))
    torch.testing.assert_close(values.mean(0).cpu(), torch.tensor([10.0, 90.0]), rtol=0.02, atol=0)


def test_small_probabilities_are_exact() -> None:
    """64 bits decide one trial: each element is given a probability just below and above its own."""
    count = 50_000
    uniforms = fine_uniforms(3, count)
    known = uniforms < 0.49
    assert uniforms.min() < 1e-4
    ones = torch.ones(count, device="mps")
    for factor, successes in ((1 - 1e-6, 0), (1 + 1e-6, 1)):
        prob = np.where(known, uniforms * factor, 0.1).astype(np.float32)
        values = draw(ones, torch.from_numpy(prob).to("mps"), 3).cpu().numpy()
        assert (values[known] == successes).all()


def rejection(n: float, p: float) -> np.ndarray:
    """BTRS in float64, from the same numbers."""
    deviation = math.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    alpha = (2.83 + 5.1 / b) * deviation
    mode = stats.binom.logpmf(math.floor((n + 1) * p), n, p)

    def trial(u: np.ndarray, margin: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        k = np.floor((2 * a / margin + b) * u + n * p + 0.5)
        log_v = np.log(v * alpha / (a / margin**2 + b))
        inside = (margin >= 0.07) & (v <= 0.92 - 4.2 / b)
        possible = (k >= 0) & (k <= n)
        return k, possible & (inside | (log_v <= stats.binom.logpmf(k, n, p) - mode))

    return reject(0, COUNT, trial)


SIZES = [(20, 0.5), (25, 0.45), (60, 0.3), (500, 0.03), (20_000, 0.4), (10_000_019, 0.3), (50_000_000, 0.1)]


@pytest.mark.parametrize(("n", "p"), SIZES)
def test_rejection_decides_as_in_float64(n: float, p: float) -> None:
    """Where k itself is rounded otherwise it is 1 off; a decision that differs is hundreds of times rarer."""
    n, p = float(np.float32(n)), float(np.float32(p))
    difference = np.abs(drawn(n, p) - rejection(n, p))
    assert np.count_nonzero(difference > 1) <= 2
    if n < 1000:
        assert np.count_nonzero(difference) <= 8
