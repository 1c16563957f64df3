"""Pairwise distances beyond PyTorch's OpInfo samples: every norm, special values, shapes, strides."""

import math

import pytest
import torch

import mpsops

aten = torch.ops.aten
NORMS = [0.0, 0.3, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 7.0, math.inf, math.nan, -1.0]


def dispatches() -> int:
    return sum(row.dispatches for row in mpsops.ops())


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize(
    ("rows", "features"), [(2, 1), (3, 2), (5, 3), (17, 5), (40, 16), (9, 33), (6, 128), (3, 1000), (70, 1)]
)
def test_norms_and_shapes(rows: int, features: int, p: float) -> None:
    x = torch.randn(rows, features)
    x[-1] = x[0]  # a distance of zero
    expected = aten._pdist_forward(x.double(), p)
    before = dispatches()
    ours = aten._pdist_forward(x.to("mps"), p)
    assert dispatches() - before == 1
    torch.testing.assert_close(ours.cpu(), expected.float(), equal_nan=True)

    grad = torch.randn(expected.shape)
    reference = aten._pdist_backward(grad.double(), x.double(), p, expected)
    before = dispatches()
    ours = aten._pdist_backward(grad.to("mps"), x.to("mps"), p, expected.float().to("mps"))
    assert dispatches() - before == (0 if p == 0 else 1)
    # Which feature is the largest is decided by the rounding of the distance: ask the same of the CPU.
    target = aten._pdist_backward(grad, x, p, expected.float()) if p == math.inf else reference.float()
    # A gradient is a sum over all other rows, in which large terms may cancel.
    largest = target.nan_to_num().abs().max().item()
    torch.testing.assert_close(ours.cpu(), target, equal_nan=True, rtol=1e-5, atol=1e-6 * largest)


@pytest.mark.parametrize("p", NORMS)
def test_special_values(p: float) -> None:
    nan, inf = math.nan, math.inf
    x = torch.tensor(
        [
            [0.0, nan, 1],
            [0, 1, 1],
            [inf, 0, 1],
            [inf, 0, 2],
            [-inf, 0, 0],
            [0, 1, 1],
            [1e-30, 0, 0],
            [-0.0, 1, 1],
        ]
    )
    expected = aten._pdist_forward(x, p)
    ours = aten._pdist_forward(x.to("mps"), p)
    torch.testing.assert_close(ours.cpu(), expected, equal_nan=True)
    grad = torch.ones_like(expected)
    torch.testing.assert_close(
        aten._pdist_backward(grad.to("mps"), x.to("mps"), p, expected.to("mps")).cpu(),
        aten._pdist_backward(grad, x, p, expected),
        equal_nan=True,
    )


def test_every_pair_is_in_its_place() -> None:
    """|i^2 - j^2| names the pair (i, j); one feature, so a thread has a pair of its own."""
    x = torch.arange(301, dtype=torch.float32).square()[:, None]
    assert torch.equal(aten._pdist_forward(x.to("mps"), 1.0).cpu(), aten._pdist_forward(x, 1.0))


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_strided_gradient(p: float) -> None:
    x = torch.randn(6, 4)
    distances = aten._pdist_forward(x, p)
    for grad in (torch.ones(1).expand(15), torch.randn(45)[::3]):
        expected = aten._pdist_backward(grad, x, p, distances)
        on_mps = grad.to("mps") if grad.stride(0) == 0 else torch.empty(45, device="mps")[::3].copy_(grad)
        ours = aten._pdist_backward(on_mps.expand(15), x.to("mps"), p, distances.to("mps"))
        torch.testing.assert_close(ours.cpu(), expected)


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0, math.inf])
def test_backward_beyond_32_bits(p: float) -> None:
    """A stride of 2^31, over a single element, makes the kernel count in 64 bits."""
    x = torch.randn(2, 40)
    distances = aten._pdist_forward(x, p)
    grad = torch.full((1,), 3.0, device="mps").as_strided((1,), (2**31,))
    ours = aten._pdist_backward(grad, x.to("mps"), p, distances.to("mps"))
    expected = aten._pdist_backward(grad.cpu(), x, p, distances)
    torch.testing.assert_close(ours.cpu(), expected)


@pytest.mark.parametrize(("rows", "features"), [(0, 3), (1, 3), (3, 0), (0, 0), (2, 0)])
def test_nothing_to_do(rows: int, features: int) -> None:
    x = torch.empty(rows, features, device="mps", requires_grad=True)
    before = dispatches()
    distances = torch.nn.functional.pdist(x)
    assert torch.equal(distances.cpu(), torch.zeros(max(rows * (rows - 1) // 2, 0)))
    distances.sum().backward()
    assert x.grad is not None
    assert x.grad.shape == x.shape
    assert not x.grad.any()
    assert dispatches() == before


def test_backward_checks_the_number_of_pairs() -> None:
    """The CPU kernel reads out of bounds here."""
    x = torch.randn(4, 3, device="mps")
    six, five = torch.ones(6, device="mps"), torch.ones(5, device="mps")
    with pytest.raises(RuntimeError, match=r"grad must be of sizes \[6\], got \[5\]"):
        aten._pdist_backward(five, x, 2.0, six)
    with pytest.raises(RuntimeError, match=r"pdist must be of sizes \[6\], got \[5\]"):
        aten._pdist_backward(six, x, 2.0, five)


BAD_CALLS = {
    "not contiguous": lambda d: aten._pdist_forward(torch.zeros(3, 4, device=d).t(), 2.0),
    "one dimension": lambda d: aten.pdist(torch.zeros(3, device=d), 2.0),
    "negative p": lambda d: aten.pdist(torch.zeros(3, 4, device=d), -1.0),
    "integers": lambda d: aten.pdist(torch.zeros(3, 4, dtype=torch.int, device=d), 2.0),
    "half": lambda d: aten.pdist(torch.zeros(3, 4, dtype=torch.half, device=d), 2.0),
    "self not contiguous": lambda d: backward_on(d, self=torch.zeros(3, 4, device=d).t()),
    "pdist not contiguous": lambda d: backward_on(d, pdist=torch.zeros(12, device=d)[::2]),
    "grad of another dtype": lambda d: backward_on(d, grad=torch.zeros(6, dtype=torch.half, device=d)),
    "pdist of another dtype": lambda d: backward_on(d, pdist=torch.zeros(6, dtype=torch.half, device=d)),
}


def backward_on(device: str, **tensors: torch.Tensor) -> torch.Tensor:
    six = torch.zeros(6, device=device)
    arguments = {"grad": six, "self": torch.zeros(4, 3, device=device), "p": 2.0, "pdist": six} | tensors
    return aten._pdist_backward(*arguments.values())


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_input_raises_as_on_the_cpu(name: str) -> None:
    errors = []
    for device in ("mps", "cpu"):
        with pytest.raises((RuntimeError, NotImplementedError)) as raised:
            BAD_CALLS[name](device)
        errors.append((type(raised.value), str(raised.value).partition("\n")[0]))
    assert errors[0] == errors[1]
