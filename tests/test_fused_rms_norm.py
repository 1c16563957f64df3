"""aten::_fused_rms_norm_backward: rows of every length, many rows, what is not wanted, bad arguments."""

from typing import Any

import pytest
import torch
from torch._decomp.decompositions import _fused_rms_norm_backward as reference

import mpsops

backward = torch.ops.aten._fused_rms_norm_backward


def arguments(rows: int, columns: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, ...]:
    """grad, x, rstd, weight."""
    torch.manual_seed(0)
    grad, x = torch.randn(2, rows, columns).to(dtype)
    rstd = (x.float().pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt()
    return grad, x, rstd, torch.randn(columns).to(dtype)


def on_mps(*tensors: torch.Tensor) -> list[torch.Tensor]:
    return [t.to("mps") for t in tensors]


def check(rows: int, columns: int, dtype: torch.dtype, weighted: bool = True) -> None:
    grad, x, rstd, weight = arguments(rows, columns, dtype)
    mask = [True, weighted]
    device = on_mps(grad, x, rstd, weight)
    found = backward(*device[:2], [columns], device[2], device[3] if weighted else None, mask)
    wide = (grad.double(), x.double(), [columns], rstd.double(), weight.double() if weighted else None, mask)
    for actual, expected in zip(found, reference(*wide), strict=True):
        if expected is None:
            assert actual is None
            continue
        assert actual.dtype == dtype
        if expected.dim() == 2:
            torch.testing.assert_close(actual.cpu(), expected.to(dtype))
            continue
        # A sum over rows in float32, rounded once.
        terms = (grad.double() * x.double() * rstd.double()).abs().sum(0)
        allowed = 8 * torch.finfo(torch.float32).eps * terms + torch.finfo(dtype).eps * expected.abs()
        assert ((actual.cpu().double() - expected).abs() <= allowed).all()


# Around one simdgroup, a group, the longest row in registers.
@pytest.mark.parametrize("columns", [1, 31, 33, 255, 257, 1000, 8192, 8193, 10001])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_lengths(columns: int, dtype: torch.dtype) -> None:
    check(3, columns, dtype)


@pytest.mark.parametrize("columns", [1, 7, 40, 300])
def test_more_rows_than_teams(columns: int) -> None:
    check(2500, columns, torch.float32)


def test_long_rows_are_taken_in_turns() -> None:
    check(70, 8200, torch.float32)


def test_without_weight() -> None:
    check(40, 50, torch.float32, weighted=False)


def test_weights_gradient_without_a_weight() -> None:
    """CUDA's kernel cannot; the sum does not need the values."""
    grad, x, rstd, _ = on_mps(*arguments(4, 6))
    (_, found) = backward(grad, x, [6], rstd, None, [True, True])
    torch.testing.assert_close(found, (grad * x * rstd).sum(0))


@pytest.mark.parametrize(("mask", "dispatches"), [([1, 1], 2), ([0, 1], 2), ([1, 0], 1), ([0, 0], 0)])
@pytest.mark.parametrize("columns", [10, 9000])
def test_what_is_not_wanted_is_not_computed(mask: list[int], dispatches: int, columns: int) -> None:
    grad, x, rstd, weight = on_mps(*arguments(5, columns))
    both = backward(grad, x, [columns], rstd, weight, [True, True])
    mpsops.reset_counts()
    found = backward(grad, x, [columns], rstd, weight, [bool(m) for m in mask])
    row = next(row for row in mpsops.ops() if row.name == "aten::_fused_rms_norm_backward")
    assert (row.calls, row.dispatches) == (1, dispatches)
    for wanted, actual, expected in zip(mask, found, both, strict=True):
        assert torch.equal(actual, expected) if wanted else actual is None


@pytest.mark.skipif(mpsops._C.runtime != "sim", reason="only the simulator can choose the schedule")
@pytest.mark.parametrize("columns", [5, 300, 8200])
def test_sums_are_the_same_in_every_run(columns: int) -> None:
    from mpsops import simulator

    device = on_mps(*arguments(200, columns))
    results = []
    for schedule in ("forward", "reverse", "random:3"):
        with simulator.schedule(schedule):
            results.append(backward(*device[:2], [columns], *device[2:], [True, True]))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert torch.equal(a, b)


def test_gradient_of_what_autograd_computes() -> None:
    """The same as through the parts of rms_norm, which is how MPS differentiates it."""
    grad, x, _, weight = on_mps(*arguments(30, 70))
    x.requires_grad_()
    weight.requires_grad_()
    y = torch.nn.functional.rms_norm(x, [70], weight, 1e-5)
    expected = torch.autograd.grad(y, (x, weight), grad)
    rstd = (x.detach().pow(2).mean(-1, keepdim=True) + 1e-5).rsqrt()
    found = backward(grad, x.detach(), [70], rstd, weight.detach(), [True, True])
    torch.testing.assert_close(found, expected)


def test_nan_stays_in_its_row() -> None:
    grad, x, rstd, weight = on_mps(*arguments(4, 9))
    x[1, 3] = torch.nan
    grad_x, grad_weight = backward(grad, x, [9], rstd, weight, [True, True])
    assert grad_x.isnan().all(1).tolist() == [False, True, False, False]
    assert grad_weight.isnan().nonzero().tolist() == [[3]]


def message(*args: Any) -> str:
    with pytest.raises((RuntimeError, NotImplementedError)) as error:
        backward(*args, [True, True])
    return str(error.value)


def test_bad_arguments() -> None:
    grad, x, rstd, weight = on_mps(*arguments(4, 9))
    assert "Given normalized_shape=[8], expected input with shape [*, 8]" in message(grad, x, [8], rstd, None)
    assert "weight of shape [8]" in message(grad, x, [9], rstd, weight[:8])
    assert "rstd must have 4 elements, got 3" in message(grad, x, [9], rstd[:3], weight)
    assert message(grad, x, [9], rstd.half(), weight) == "expected scalar type Float but found Half"
    assert message(grad.half(), x, [9], rstd, weight) == "expected scalar type Float but found Half"
    assert message(grad, x, [9], rstd, weight.half()) == "expected scalar type Float but found Half"
    assert "grad_out must be of the size of input" in message(grad[:3], x, [9], rstd, weight)
