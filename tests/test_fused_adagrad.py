"""torch.optim.Adagrad(fused=True) on the device: as on the CPU, few dispatches, nothing waits."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

import mpsops
import op_cases as oc

Tensor = torch.Tensor
RATES = {"lr_decay": 0.1, "weight_decay": 0.01, "eps": 1e-10, "maximize": False}
DTYPES = [torch.float32, torch.half, torch.bfloat16]


def dispatches(function: Callable[[], Any]) -> int:
    before = sum(row.dispatches for row in mpsops.ops())
    function()
    return sum(row.dispatches for row in mpsops.ops()) - before


def lists(*tensors: Tensor) -> list[list[Tensor]]:
    """param, grad and sum of each, and steps."""
    return [
        [tensor.clone() for tensor in tensors],
        [torch.ones_like(tensor) for tensor in tensors],
        [torch.full_like(tensor, 0.5) for tensor in tensors],
        [torch.ones((), device=tensor.device) for tensor in tensors],
    ]


def to_mps(tensors: list[list[Tensor]]) -> list[list[Tensor]]:
    return [[oc.same_layout_on_device(tensor) for tensor in each] for each in tensors]


def optimizer(params: list[Tensor], lr: Any, **rates: Any) -> torch.optim.Adagrad:
    return torch.optim.Adagrad(params, lr=lr, fused=True, **rates)


@pytest.mark.parametrize("lr", ["number", "cpu", "mps"])
@pytest.mark.parametrize("maximize", [False, True])
def test_optimizer(lr: str, maximize: bool) -> None:
    """Some steps give the parameters and the state that they give on the CPU, in float64."""
    torch.manual_seed(0)
    shapes = [(3, 4), (), (2000,), (5,), (1, 7), (2, 3, 4, 4), (6,), (8,), (9,)]
    start = [torch.randn(shape) for shape in shapes]
    rates = {"lr_decay": 0.05, "weight_decay": 0.1, "maximize": maximize, "initial_accumulator_value": 0.1}
    ours = [tensor.to("mps").requires_grad_() for tensor in start]
    wide = [tensor.double().requires_grad_() for tensor in start]
    rate = 0.3 if lr == "number" else torch.tensor(0.3, device=lr)
    on_mps, on_cpu = optimizer(ours, rate, **rates), optimizer(wide, 0.3, **rates)
    for _ in range(4):
        for param, reference in zip(ours, wide, strict=True):
            grad = torch.randn(param.shape)
            param.grad, reference.grad = grad.to("mps"), grad.double()
        with oc.no_fallbacks():
            on_mps.step()
        on_cpu.step()
    for param, reference in zip(ours, wide, strict=True):
        torch.testing.assert_close(param.detach().cpu().double(), reference.detach(), rtol=2e-6, atol=1e-6)
        state, expected = on_mps.state[param], on_cpu.state[reference]
        assert state["step"].device.type == "mps"
        assert state["step"].item() == expected["step"].item() == 4
        torch.testing.assert_close(state["sum"].cpu().double(), expected["sum"], rtol=2e-6, atol=0)


def test_grad_scaler() -> None:
    """A step with infinite gradients changes nothing, the next one does."""
    param = torch.ones(5, device="mps", requires_grad=True)
    adagrad = optimizer([param], 0.1)
    scaler = torch.amp.GradScaler("mps", init_scale=4.0)
    for factor, expected in ((math.inf, 1.0), (2.0, 0.9)):
        adagrad.zero_grad()
        scaler.scale((param * factor).sum()).backward()
        scaler.step(adagrad)
        scaler.update()
        torch.testing.assert_close(param.detach().cpu(), torch.full((5,), expected))
    assert adagrad.state[param]["step"].item() == 1


@pytest.mark.parametrize("scale", [None, 4.0])
def test_written(scale: float | None) -> None:
    """grad is divided by the scale where it is; without one, and with found_inf, nothing is written to it."""
    before = lists(torch.randn(3, device="mps"))
    scaled = {} if scale is None else {"grad_scale": torch.tensor([scale], device="mps")}
    after = [[tensor.clone() for tensor in each] for each in before]
    torch._fused_adagrad_(*after, lr=0.1, **RATES, **scaled, found_inf=torch.ones(1, device="mps"))
    for changed, same in zip(oc.tensors(after), oc.tensors(before), strict=True):
        assert torch.equal(changed, same)
    torch._fused_adagrad_(*after, lr=0.1, **RATES, **scaled)
    assert torch.equal(after[1][0], before[1][0] / (scale or 1.0))
    assert not torch.equal(after[0][0], before[0][0])
    assert torch.equal(after[3][0], before[3][0])


@pytest.mark.parametrize("count", [1, 6, 7, 8, 14, 15, 50])
def test_dispatches(count: int) -> None:
    """Seven tensors a dispatch, six with lr on the device; empty ones do not count."""
    tensors = [torch.ones(i % 5 + 1, device="mps") for i in range(count)]
    tensors[count // 2 : count // 2] = [torch.ones(0, device="mps")] * 3
    state = lists(*tensors)
    lr = torch.tensor(0.1, device="mps")
    assert dispatches(lambda: torch._fused_adagrad_(*state, lr=0.1, **RATES)) == math.ceil(count / 7)
    assert dispatches(lambda: torch._fused_adagrad_(*state, lr=lr.cpu(), **RATES)) == math.ceil(count / 7)
    assert dispatches(lambda: torch._fused_adagrad_(*state, lr=lr, **RATES)) == math.ceil(count / 6)


def test_tensors_of_several_dtypes() -> None:
    """As the CPU kernel, which looks at each tensor alone."""
    state = lists(*[torch.randn(9).to(DTYPES[i % 3]) for i in range(7)])
    ours = to_mps(state)
    torch._fused_adagrad_(*ours, lr=0.1, **RATES)
    torch._fused_adagrad_(*state, lr=0.1, **RATES)
    for found, expected in zip(oc.tensors(ours), oc.tensors(state), strict=True):
        torch.testing.assert_close(found.cpu(), expected)


@pytest.mark.parametrize("layouts", range(4))
def test_layouts(layouts: int) -> None:
    """Each of param, grad and sum has strides of its own. The CPU kernel takes memory as it lies."""
    torch.manual_seed(0)

    def laid_out(tensor: Tensor, layout: int) -> Tensor:
        if layout == 0:
            return tensor
        if layout == 1:
            return tensor.contiguous(memory_format=torch.channels_last)
        if layout == 2:
            return tensor.transpose(0, 3).contiguous().transpose(0, 3)
        return torch.empty(*tensor.shape, 2)[..., 1].copy_(tensor)

    dense = [torch.rand(2, 3, 4, 5) + 0.1 for _ in range(3)]
    strided = [laid_out(tensor, (layouts + i) % 4) for i, tensor in enumerate(dense)]
    scale = torch.tensor(2.0)
    step = [torch.ones(())]
    ours = to_mps([[tensor] for tensor in strided])
    torch._fused_adagrad_(*ours, to_mps([step])[0], lr=0.1, **RATES, grad_scale=scale.to("mps"))
    torch._fused_adagrad_(*[[tensor] for tensor in dense], step, lr=0.1, **RATES, grad_scale=scale)
    for (found,), expected, strides in zip(ours, dense, strided, strict=True):
        assert found.stride() == strides.stride()
        torch.testing.assert_close(found.cpu(), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_zero_gradients(dtype: torch.dtype) -> None:
    """No 0 / 0: eps counts in half too, where the CPU kernel rounds it to 0 and gives NaN."""
    state = lists(torch.ones(40, dtype=dtype, device="mps"))
    state[1][0].zero_()
    state[2][0].zero_()
    torch._fused_adagrad_(*state, lr=0.1, lr_decay=0.0, weight_decay=0.0, eps=1e-10, maximize=False)
    assert torch.equal(state[0][0], torch.ones_like(state[0][0]))


@pytest.mark.parametrize("dtype", [torch.int64, torch.half])
def test_steps_of_other_dtypes(dtype: torch.dtype) -> None:
    """The CPU kernel reads any number; the step may have any shape of one element."""
    state = lists(torch.ones(4))
    state[3] = [torch.full((1, 1), 3, dtype=dtype)]
    ours = to_mps(state)
    torch._fused_adagrad_(*ours, lr=0.1, **RATES)
    torch._fused_adagrad_(*state, lr=0.1, **RATES)
    torch.testing.assert_close(ours[0][0].cpu(), state[0][0])


def test_special_values() -> None:
    param = torch.tensor([1.0, math.nan, math.inf, -math.inf, 0.0, -0.0])
    grad = torch.tensor([math.nan, 1.0, math.inf, 0.0, -0.0, math.inf])
    state = [[param], [grad], [torch.zeros(6)], [torch.ones(())]]
    ours = to_mps(state)
    torch._fused_adagrad_(*ours, lr=0.1, **RATES)
    torch._fused_adagrad_(*state, lr=0.1, **RATES)
    for found, expected in zip(ours, state, strict=True):
        torch.testing.assert_close(found[0].cpu(), expected[0], equal_nan=True)


def test_refusals() -> None:
    x, other = torch.ones(3, device="mps"), torch.ones(4, device="mps")
    step, rates = torch.ones((), device="mps"), {"lr": 0.1, **RATES}
    with pytest.raises(RuntimeError, match=r"must have the sizes of their tensors, got \[4\] and \[3\]"):
        torch._fused_adagrad_([x], [other], [x], [step], **rates)
    with pytest.raises(RuntimeError, match="on the same device"):
        torch._fused_adagrad_([x], [x.cpu()], [x], [step], **rates)
    with pytest.raises(RuntimeError, match="on the same device"):
        torch._fused_adagrad_([x], [x], [x], [step.cpu()], **rates)
    with pytest.raises(RuntimeError, match="found_inf must have a value"):
        torch._fused_adagrad_([x], [x], [x], [step], **rates, found_inf=x[:0])
    with pytest.raises(RuntimeError, match="on the same device"):
        torch._fused_adagrad_([x], [x], [x], [step], **rates, found_inf=step.cpu())
