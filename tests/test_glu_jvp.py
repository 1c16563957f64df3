"""Forward-mode AD of glu: through torch.func, of many elements, of other dtypes than the kernels'."""

import pytest
import torch
from torch.nn import functional

import mpsops

# Torch's own forward-mode AD compiles with it.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")


def tensors(*shape: int, count: int = 2) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    return tuple(torch.randn(count, *shape))


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_jvp(dim: int) -> None:
    x, dx = tensors(4, 6, 8)

    def run(device: str) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.func.jvp(lambda t: functional.glu(t, dim), (x.to(device),), (dx.to(device),))

    for found, expected in zip(run("mps"), run("cpu"), strict=True):
        torch.testing.assert_close(found.cpu(), expected)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_jvp_of_the_gradient(dim: int) -> None:
    """Forward over reverse, as a Hessian-vector product takes it."""
    x, dx = tensors(4, 6, 8)

    def run(device: str) -> torch.Tensor:
        grad = torch.func.grad(lambda t: functional.glu(t, dim).pow(3).sum())
        return torch.func.jvp(grad, (x.to(device),), (dx.to(device),))[1]

    mpsops.reset_counts()
    found = run("mps")
    calls = {row.name: row.calls for row in mpsops.ops() if row.family == "glu_jvp"}
    assert calls["aten::glu_jvp"] > 0
    assert calls["aten::glu_backward_jvp"] > 0
    torch.testing.assert_close(found.cpu(), run("cpu"))


def test_many_contiguous_elements() -> None:
    """A thread of the dense kernels takes four."""
    x, dx, grad_x = tensors(2, 2**18 + 3, count=3)
    glu, dgrad = x[:1], dx[1:]
    on_mps = [t.to("mps") for t in (glu, x, dx)]
    found = torch.ops.aten.glu_jvp(*on_mps, 0)
    torch.testing.assert_close(found.cpu(), torch.ops.aten.glu_jvp(glu, x, dx, 0))
    arguments = (grad_x, glu, x, dgrad, dx)
    found = torch.ops.aten.glu_backward_jvp(*[t.to("mps") for t in arguments], 0)
    torch.testing.assert_close(
        found.cpu(), torch.ops.aten.glu_backward_jvp(*arguments, 0), rtol=1e-5, atol=1e-5
    )


def test_special_values_as_on_the_cpu() -> None:
    values = [0.0, -0.0, 1.0, 100.0, -100.0, torch.inf, -torch.inf, torch.nan]
    a, b = (t.flatten() for t in torch.meshgrid(torch.tensor(values), torch.tensor(values), indexing="ij"))
    x = torch.stack([a, b])
    a, b = x.split(1)
    ones = torch.ones_like(x)
    for dx in (ones, torch.zeros_like(x), x):
        expected = torch.ops.aten.glu_jvp(a, x, dx, 0)
        found = torch.ops.aten.glu_jvp(*[t.to("mps") for t in (a, x, dx)], 0)
        torch.testing.assert_close(found.cpu(), expected, equal_nan=True)
        arguments = (ones, a, x, b, dx)
        expected = torch.ops.aten.glu_backward_jvp(*arguments, 0)
        found = torch.ops.aten.glu_backward_jvp(*[t.to("mps") for t in arguments], 0)
        torch.testing.assert_close(found.cpu(), expected, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.int32, torch.complex64, None], ids=str)
def test_what_the_kernel_does_not_take(dtype: torch.dtype | None) -> None:
    """glu_backward_jvp is made of other ops on the CPU, and so takes all dtypes, mixed ones too."""
    arguments = [(t * 3).to(dtype or torch.float32) for t in tensors(2, 6, count=5)]
    arguments[1], arguments[3] = arguments[1][:, :3], arguments[3][:, :3]
    if dtype is None:
        arguments[2] = arguments[2].half()
    expected = torch.ops.aten.glu_backward_jvp(*arguments, 1)
    found = torch.ops.aten.glu_backward_jvp(*[t.to("mps") for t in arguments], 1)
    assert found.dtype == expected.dtype
    torch.testing.assert_close(found.cpu(), expected)
