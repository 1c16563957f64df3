"""poisson beyond OpInfo's samples: the distribution at all rates, and the stream of numbers."""

import math

import numpy as np
import pytest
import torch
from philox_reference import fine_uniforms, reject
from scipy import stats

import mpsops
import op_cases as oc

COUNT = 200_000
RATES = [1e-6, 0.5, 3.0, 9.9, 10.0, 30.0, 1e3, 1e6]


def draw(rates: torch.Tensor, seed: int | None = 0, generator: torch.Generator | None = None) -> torch.Tensor:
    if seed is not None:
        torch.manual_seed(seed)
    return torch.poisson(rates, generator)


def drawn(rate: float, count: int = COUNT) -> np.ndarray:
    return draw(torch.full((count,), rate, device="mps")).cpu().double().numpy()


def chi_square(values: np.ndarray, distribution: stats.rv_discrete) -> float:
    """The p-value over bins of neighbouring counts that expect 0.5 % of the values each or more."""
    low, high = (int(distribution.ppf(q)) for q in (1e-9, 1 - 1e-9))
    counts = np.arange(low, high + 1)
    expected = distribution.pmf(counts) * len(values)
    found = np.bincount((values - low).clip(0, high - low).astype(int), minlength=len(counts))
    bins = np.cumsum(expected) // (0.005 * len(values))
    starts = np.flatnonzero(np.diff(bins, prepend=-1))
    expected, found = np.add.reduceat(expected, starts), np.add.reduceat(found, starts)
    return float(stats.chisquare(found, expected * found.sum() / expected.sum()).pvalue)


@pytest.mark.parametrize("rate", [*RATES, 0.01, 0.999, 1.0, 11.5, 2.0**24])
def test_distribution(rate: float) -> None:
    rate = float(np.float32(rate))
    values = drawn(rate)
    assert ((values >= 0) & (values == np.floor(values))).all()
    # Four standard errors of the mean and of the variance.
    assert abs(values.mean() - rate) < 4 * math.sqrt(rate / COUNT)
    assert abs(values.var() / rate - 1) < 4 * math.sqrt((2 + 1 / rate) / COUNT)
    if rate > 1e-3:
        assert chi_square(values, stats.poisson(rate)) > 1e-3


@pytest.mark.parametrize("rate", [1e8, 1e11, 1e20, 1e37])
def test_rates_beyond_whole_floats(rate: float) -> None:
    """Counts are rounded to float32, whose spacing may be coarser than the deviation."""
    rate = float(np.float32(rate))
    values = drawn(rate, 20_000)
    spacing = float(np.spacing(np.float32(rate)))
    deviation = math.sqrt(rate)
    assert abs(values.mean() - rate) < 4 * deviation / math.sqrt(20_000) + spacing / 2
    assert np.abs(values - rate).max() < 6 * deviation + spacing
    if deviation > 10 * spacing:
        assert abs(values.std() / deviation - 1) < 0.03


def test_lanes_and_neighbours_are_independent() -> None:
    for rate in (0.7, 5.0, 40.0):
        values = drawn(rate)
        for distance in (1, 2, 3, 4, 32, 1024, COUNT // 4):
            correlation = stats.pearsonr(values[:-distance], values[distance:]).statistic
            assert abs(correlation) < 4 / math.sqrt(COUNT - distance)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types_round_the_float_result(dtype: torch.dtype) -> None:
    for rate in (0.5, 4.0, 100.0, 5000.0):
        rates = torch.full((1000,), rate, dtype=dtype, device="mps")
        expected = draw(rates.float()).to(dtype)
        result = draw(rates)
        assert result.dtype == dtype
        assert torch.equal(result, expected)


def test_special_rates() -> None:
    """inf, for which the CPU kernel returns an arbitrary number, has no other count than inf."""
    rates = torch.tensor([0.0, -0.0, math.inf], device="mps")
    result = draw(rates).cpu()
    assert torch.equal(result, torch.tensor([0.0, 0.0, math.inf]))
    assert not result.signbit().any()


def test_bad_rates_raise_also_where_good_ones_were_checked_before() -> None:
    text = "invalid Poisson rate, expected rate to be non-negative"
    rates = torch.rand(100, device="mps")
    draw(rates)
    draw(rates)
    rates[50] = -1.0
    with pytest.raises(RuntimeError, match=text):
        draw(rates)
    with pytest.raises(RuntimeError, match=text):
        draw(rates[50])
    rates[50] = math.nan
    with pytest.raises(RuntimeError, match=text):
        draw(rates)
    rates[50] = 1.0
    assert draw(rates).isfinite().all()


def test_seed_and_generator() -> None:
    rates = torch.full((1001,), 20.0, device="mps")
    assert torch.equal(draw(rates, 5), draw(rates, 5))
    assert not torch.equal(draw(rates, 5), draw(rates, 6))
    first = draw(rates, 5)
    assert not torch.equal(first, draw(rates, None))
    torch.manual_seed(7)
    state, cpu_state = torch.mps.get_rng_state(), torch.get_rng_state()
    own = torch.Generator("mps").manual_seed(5)
    assert torch.equal(draw(rates, None, own), first)
    assert torch.equal(state, torch.mps.get_rng_state())
    assert torch.equal(cpu_state, torch.get_rng_state())
    with pytest.raises(RuntimeError, match="Expected a 'mps' device type for generator but found 'cpu'"):
        draw(rates, None, torch.Generator("cpu"))


def test_generator_advances_by_one_block_per_element() -> None:
    """Whatever the elements draw: a call over 30 is one over any 10 and one over the other 20."""
    rates = torch.tensor([0.3, 5.0, 50.0] * 10, device="mps")
    whole = draw(rates)
    for first in (rates[:10], torch.full((10,), 1e-3, device="mps")):
        draw(first)
        assert torch.equal(whole[10:], draw(rates[10:], None))
    assert torch.equal(whole[:10], draw(rates[:10]))
    # The last 8 bytes of the state are the generator's offset.
    draw(rates)
    assert torch.mps.get_rng_state()[-8:].numpy().view("int64") == 30


LAYOUTS = oc.layouts(torch.arange(120.0, device="mps"))


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(name: str) -> None:
    """The numbers belong to logical positions: no stride changes them. One dispatch, contiguous results."""
    rates = LAYOUTS[name]
    expected = draw(rates.contiguous())
    mpsops.reset_counts()
    result = draw(rates)
    assert sum(row.dispatches for row in mpsops.ops()) == 1
    assert torch.equal(result, expected)
    assert result.is_contiguous()


def test_more_elements_than_threads() -> None:
    """From 2^18 elements on, a thread computes four: element i draws what it does in a smaller call."""
    rates = torch.full(((1 << 18) + 3,), 6.0, device="mps")
    whole = draw(rates)
    assert torch.equal(whole[:1000], draw(rates[:1000]))
    assert (whole[-4:] >= 0).all()
    draw(rates[:-5])
    assert torch.equal(whole[-5:], draw(rates[-5:], None))


def test_empty_draws_nothing() -> None:
    state = torch.mps.get_rng_state()
    assert draw(torch.empty(0, 3, device="mps"), None).shape == (0, 3)
    assert torch.equal(state, torch.mps.get_rng_state())


def test_out_and_gradient() -> None:
    rates = torch.rand(50, device="mps") * 20
    expected = draw(rates)
    out = torch.empty(0, device="mps")
    torch.manual_seed(0)
    assert torch.ops.aten.poisson.out(rates, out=out) is out
    assert torch.equal(out, expected)
    rates.requires_grad_()
    draw(rates).sum().backward()
    assert torch.equal(rates.grad, torch.zeros_like(rates))


def test_distributions() -> None:
    torch.manual_seed(0)
    values = torch.distributions.Poisson(torch.tensor([1.0, 20.0], device="mps")).sample((5000,))
    torch.testing.assert_close(values.mean(0).cpu(), torch.tensor([1.0, 20.0]), rtol=0.05, atol=0)


def test_small_rates_are_exact() -> None:
    """64 bits decide between 0 and more: each element is given a rate just below and above its own."""
    count = 50_000
    uniforms = fine_uniforms(3, count)
    known = uniforms < 0.6  # 1 - exp(-rate) for a rate below 1
    thresholds = -np.log1p(-np.where(known, uniforms, 0.5))
    assert thresholds[known].min() < 1e-4
    for factor, more in ((1 - 1e-6, False), (1 + 1e-6, True)):
        values = draw(torch.from_numpy((thresholds * factor).astype(np.float32)).to("mps"), 3).cpu().numpy()
        assert ((values[known] > 0) == more).all()


def rejection(rate: float) -> np.ndarray:
    """PTRS in float64, from the same numbers."""
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)

    def trial(u: np.ndarray, margin: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        k = np.floor((2 * a / margin + b) * u + rate + 0.43)
        log_v = np.log(v * inverse_alpha / (a / margin**2 + b))
        inside = (margin >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2))
        return k, inside | ((k >= 0) & (log_v <= stats.poisson.logpmf(k, rate)))

    return reject(0, COUNT, trial)


@pytest.mark.parametrize("rate", [10.0, 17.3, 123.4, 5000.0, 1e6 + 1 / 3, 3e7])
def test_rejection_decides_as_in_float64(rate: float) -> None:
    """Where k itself is rounded otherwise it is 1 off; a decision that differs is hundreds of times rarer."""
    rate = float(np.float32(rate))
    difference = np.abs(drawn(rate) - rejection(rate))
    rounding = float(np.spacing(np.float32(rate)))
    assert np.count_nonzero(difference > max(1.0, rounding)) <= 2
    if rate < 200:
        assert np.count_nonzero(difference) <= 8
