"""Random numbers: the MPS generator drives them, and the CPU's is left alone."""

import pytest
import torch

DRAWS = {
    "randn": lambda: torch.randn(5, device="mps"),
    "rand": lambda: torch.rand(5, device="mps"),
    "randint": lambda: torch.randint(0, 100, (5,), device="mps"),
    "randperm": lambda: torch.randperm(20, device="mps"),
    "bernoulli": lambda: torch.full((20,), 0.5, device="mps").bernoulli(),
    "multinomial": lambda: torch.ones(10, device="mps").multinomial(5),
    "dropout": lambda: torch.nn.functional.dropout(torch.ones(20, device="mps")),
    "normal": lambda: torch.normal(torch.zeros(5, device="mps"), torch.ones(5, device="mps")),
    "exponential": lambda: torch.empty(5, device="mps").exponential_(),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_reproducible_and_advancing(draw) -> None:
    torch.manual_seed(7)
    first, second = draw(), draw()
    assert not torch.equal(first, second)
    torch.manual_seed(7)
    assert torch.equal(draw(), first)
    torch.mps.manual_seed(7)
    assert torch.equal(draw(), first)
    torch.mps.manual_seed(8)
    assert not torch.equal(draw(), first)


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_cpu_generator_is_untouched(draw) -> None:
    state = torch.get_rng_state()
    draw()
    assert torch.equal(torch.get_rng_state(), state)


def test_state_is_saved_and_restored() -> None:
    torch.mps.manual_seed(3)
    torch.randn(5, device="mps")
    state = torch.mps.get_rng_state()
    assert state.dtype == torch.uint8
    assert state.numel() == 44  # torch's on a Mac: seven words, seed, offset
    first = torch.randn(5, device="mps")
    torch.mps.set_rng_state(state)
    assert torch.equal(torch.randn(5, device="mps"), first)
    with pytest.raises(RuntimeError, match="RNG state is wrong size"):
        torch.mps.set_rng_state(state[:-1])


def test_generators() -> None:
    generator = torch.Generator("mps").manual_seed(5)
    first = torch.rand(4, device="mps", generator=generator)
    assert generator.initial_seed() == 5
    generator.manual_seed(5)
    state = generator.get_state()
    assert torch.equal(torch.rand(4, device="mps", generator=generator), first)
    generator.set_state(state)
    assert torch.equal(torch.rand(4, device="mps", generator=generator), first)
    with pytest.raises(RuntimeError, match="Expected a 'mps' device type for generator but found 'cpu'"):
        torch.rand(4, device="mps", generator=torch.Generator())
    with pytest.raises(RuntimeError, match="Expected a 'cpu' device type for generator but found 'mps'"):
        torch.rand(4, generator=generator)


def test_fork_rng() -> None:
    torch.manual_seed(0)
    state = torch.mps.get_rng_state()
    with torch.random.fork_rng(device_type="mps"):
        torch.randn(3, device="mps")
    assert torch.equal(torch.mps.get_rng_state(), state)


def test_distributions_look_right() -> None:
    x = torch.randn(20000, device="mps")
    assert abs(x.mean().item()) < 0.03
    assert abs(x.std().item() - 1) < 0.03
    assert abs(torch.rand(20000, device="mps").mean().item() - 0.5) < 0.02
