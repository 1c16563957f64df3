"""rrelu_with_noise beyond OpInfo's samples: the distribution, the generator, noise and layouts."""

import pytest
import torch
import torch.nn.functional as F
from scipy import stats

import mpsops
import op_cases as oc

aten = torch.ops.aten
LOWER, UPPER = 0.125, 0.5


def draw(
    input: torch.Tensor, seed: int | None = 0, generator: torch.Generator | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    if seed is not None:
        torch.manual_seed(seed)
    noise = torch.full_like(input, -9.0)
    output = aten.rrelu_with_noise(input, noise, LOWER, UPPER, True, generator)
    return output, noise


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_noise(dtype: torch.dtype) -> None:
    """A slope in the range where x <= 0 (also -0), 1 elsewhere (also NaN); output = x * noise."""
    inf, nan = float("inf"), float("nan")
    input = torch.tensor([-1.0, 2.0, 0.0, -0.0, nan, inf, -inf, -3e-38, 1e-3], dtype=dtype)
    output, noise = (t.cpu() for t in draw(input.to("mps")))
    drawn = input <= 0
    assert (noise[~drawn] == 1).all()
    assert ((noise[drawn] >= LOWER) & (noise[drawn] <= UPPER)).all()
    # The output is rounded once, from the slope before it is rounded to noise.
    torch.testing.assert_close(output, input * noise, equal_nan=True, rtol=1e-2, atol=0)
    assert torch.equal(output.signbit()[~input.isnan()], input.signbit()[~input.isnan()])
    torch.testing.assert_close(output[~drawn], input[~drawn], rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_distribution(seed: int) -> None:
    count = 40_000
    _, noise = draw(-torch.ones(count, device="mps"), seed)
    values = (noise.cpu().double().numpy() - LOWER) / (UPPER - LOWER)
    assert stats.kstest(values, "uniform").pvalue > 1e-3
    # Uncorrelated at the distances inside a block of four, between blocks and across a group.
    for distance in (1, 2, 3, 4, 1024):
        assert abs(stats.pearsonr(values[:-distance], values[distance:]).statistic) < 4 / count**0.5
    # Each of the four lanes of a block on its own.
    for lane in range(4):
        assert stats.kstest(values[lane::4], "uniform").pvalue > 1e-3


def test_equal_bounds_and_wide_bounds() -> None:
    input = -torch.ones(1000, device="mps")
    noise = torch.empty_like(input)
    aten.rrelu_with_noise(input, noise, 0.3, 0.3, True)
    assert (noise == torch.tensor(0.3)).all()
    # upper - lower overflows float32.
    aten.rrelu_with_noise(input, noise, -3e38, 3e38, True)
    assert noise.isfinite().all()
    assert (noise < 0).any()
    assert (noise > 0).any()


def test_seed_and_generator() -> None:
    input = -torch.rand(1001, device="mps") - 0.1
    for first, again, other in zip(draw(input, 5), draw(input, 5), draw(input, 6), strict=True):
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
    # A generator of one's own: same numbers for the same seed, the default one is left alone.
    torch.manual_seed(7)
    state = torch.mps.get_rng_state()
    cpu_state = torch.get_rng_state()
    own = torch.Generator("mps").manual_seed(5)
    assert torch.equal(draw(input, None, own)[1], draw(input, 5)[1])
    torch.manual_seed(7)
    draw(input, None, own)
    assert torch.equal(state, torch.mps.get_rng_state())
    assert torch.equal(cpu_state, torch.get_rng_state())


def test_saved_state_resumes() -> None:
    input = -torch.ones(10, device="mps")
    draw(input)
    state = torch.mps.get_rng_state()
    following = draw(input, None)[1]
    torch.mps.set_rng_state(state)
    assert torch.equal(draw(input, None)[1], following)


def test_stream_continues() -> None:
    """Two calls draw what one call of both sizes draws: a block of four for every four elements."""
    whole = draw(-torch.ones(16, device="mps"))[1]
    first = draw(-torch.ones(8, device="mps"))[1]
    second = draw(-torch.ones(8, device="mps"), None)[1]
    assert torch.equal(whole, torch.cat([first, second]))
    # Elements that need no slope take their place in the stream all the same.
    signs = torch.tensor([1.0, -1.0] * 8, device="mps")
    assert torch.equal(draw(signs)[1][1::2], whole[1::2])


def test_another_device_s_generator() -> None:
    with pytest.raises(RuntimeError, match="Expected a 'mps' device type for generator but found 'cpu'"):
        draw(-torch.ones(3, device="mps"), None, torch.Generator("cpu"))


LAYOUTS = oc.layouts(-torch.arange(1.0, 121.0, device="mps"))


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(name: str) -> None:
    """The numbers belong to logical positions: no stride of any operand changes them."""
    input = LAYOUTS[name]
    expected_output, expected_noise = draw(input.contiguous())
    mpsops.reset_counts()
    output, noise = draw(input)
    assert sum(row.dispatches for row in mpsops.ops()) == 1
    assert torch.equal(output, expected_output)
    assert torch.equal(noise, expected_noise)
    assert output.is_contiguous()

    strided_noise = torch.full((*input.shape, 2), -9.0, device="mps")[..., 0]
    torch.manual_seed(0)
    aten.rrelu_with_noise(input, strided_noise, LOWER, UPPER, True)
    assert torch.equal(strided_noise, expected_noise)


@pytest.mark.op("aten::rrelu_with_noise_", "aten::rrelu_with_noise.out")
def test_in_place_and_out() -> None:
    for name, input in LAYOUTS.items():
        expected_output, expected_noise = draw(input)
        if name != "expanded":
            changed = input.clone()
            noise = torch.empty_like(changed)
            torch.manual_seed(0)
            assert aten.rrelu_with_noise_(changed, noise, LOWER, UPPER, True) is changed
            assert torch.equal(changed, expected_output)
            assert torch.equal(noise, expected_noise)
        for out in (
            torch.empty_like(expected_output),
            torch.empty(0, device="mps"),
            torch.empty((*input.shape, 2), device="mps")[..., 1],
        ):
            noise = torch.empty_like(expected_noise)
            torch.manual_seed(0)
            assert aten.rrelu_with_noise.out(input, noise, LOWER, UPPER, True, None, out=out) is out
            assert torch.equal(out, expected_output)
            assert torch.equal(noise, expected_noise)


def test_outside_training() -> None:
    """leaky_relu of the mean slope; noise is not written and no number is drawn."""
    input = torch.linspace(-2, 2, 9)
    state = torch.mps.get_rng_state()
    noise = torch.full((9,), -9.0, device="mps")
    expected = F.rrelu(input, LOWER, UPPER, training=False)
    output = aten.rrelu_with_noise(input.to("mps"), noise, LOWER, UPPER, False)
    torch.testing.assert_close(output.cpu(), expected)
    changed = input.to("mps")
    aten.rrelu_with_noise_(changed, noise, LOWER, UPPER, False)
    torch.testing.assert_close(changed.cpu(), expected)
    assert (noise == -9).all()
    assert torch.equal(state, torch.mps.get_rng_state())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("inplace", [True, False])
def test_gradient(training: bool, inplace: bool) -> None:
    input = torch.linspace(-2, 2, 30, device="mps", requires_grad=True)
    torch.manual_seed(0)
    output = F.rrelu(input * 1.0, LOWER, UPPER, training, inplace)
    (gradient,) = torch.autograd.grad(output, input, torch.full_like(output, 2.0))
    slope = torch.where(input > 0, 1.0, output / input)
    torch.testing.assert_close(gradient, 2 * slope.detach())
    if not training:
        assert torch.allclose(slope[input <= 0], torch.tensor((LOWER + UPPER) / 2, device="mps"))


CALLS = {
    "noise shape": lambda d: aten.rrelu_with_noise(
        torch.ones(2, 3).to(d), torch.ones(3).to(d), 0.1, 0.3, True
    ),
    "noise shape, not training": lambda d: aten.rrelu_with_noise(
        torch.ones(2, 3).to(d), torch.ones(3).to(d), 0.1, 0.3, False
    ),
    "noise dtype": lambda d: aten.rrelu_with_noise(
        torch.ones(2).to(d), torch.ones(2).half().to(d), 0.1, 0.3, True
    ),
    "out dtype": lambda d: aten.rrelu_with_noise.out(
        torch.ones(2).to(d), torch.ones(2).to(d), 0.1, 0.3, True, out=torch.ones(2).half().to(d)
    ),
    "half": lambda d: aten.rrelu_with_noise(
        torch.ones(2).half().to(d), torch.ones(2).half().to(d), 0.1, 0.3, True
    ),
    "int": lambda d: aten.rrelu_with_noise(
        torch.ones(2).int().to(d), torch.ones(2).int().to(d), 0.1, 0.3, True
    ),
    "lower above upper": lambda d: aten.rrelu_with_noise(
        -torch.ones(2).to(d), torch.ones(2).to(d), 0.4, 0.3, True
    ),
    "lower NaN": lambda d: aten.rrelu_with_noise(
        -torch.ones(2).to(d), torch.ones(2).to(d), float("nan"), 0.3, True
    ),
    "lower infinite": lambda d: aten.rrelu_with_noise(
        -torch.ones(2).to(d), torch.ones(2).to(d), -float("inf"), 0.3, True
    ),
    "lower too large": lambda d: aten.rrelu_with_noise(
        -torch.ones(2).to(d), torch.ones(2).to(d), 1e300, 1e301, True
    ),
    "rrelu, lower above upper": lambda d: F.rrelu(-torch.ones(2).to(d), 0.4, 0.3, True),
}


@pytest.mark.parametrize("name", CALLS)
def test_errors_as_on_the_cpu(name: str) -> None:
    with pytest.raises(RuntimeError) as expected:
        CALLS[name]("cpu")
    with pytest.raises(RuntimeError) as found:
        CALLS[name]("mps")
    assert (type(found.value), str(found.value)) == (type(expected.value), str(expected.value))


def test_operands_that_overlap_or_live_elsewhere() -> None:
    input = -torch.ones(4, device="mps")
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
        aten.rrelu_with_noise(input, torch.ones(1, device="mps").expand(4), LOWER, UPPER, True)
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        aten.rrelu_with_noise(input, torch.ones(4), LOWER, UPPER, True)


def test_empty() -> None:
    state = torch.mps.get_rng_state()
    output, noise = draw(torch.empty(0, 3, device="mps"), None)
    assert output.shape == noise.shape == (0, 3)
    assert torch.equal(state, torch.mps.get_rng_state())
