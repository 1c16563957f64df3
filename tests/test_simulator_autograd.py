"""Autograd, modules and optimizers on the simulated device, against the CPU."""

import threading

import pytest
import torch
from simulator_process import run
from torch import nn


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 5)
    )


OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9),
    "sgd_fused": lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9, fused=True),
    "adam": lambda parameters: torch.optim.Adam(parameters, 0.01),
    "adam_foreach": lambda parameters: torch.optim.Adam(parameters, 0.01, foreach=True),
    "adam_fused": lambda parameters: torch.optim.Adam(parameters, 0.01, fused=True),
    "adamw_fused": lambda parameters: torch.optim.AdamW(parameters, 0.01, fused=True),
    "rmsprop": lambda parameters: torch.optim.RMSprop(parameters, 0.01),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_training_follows_the_cpu(optimizer) -> None:
    data, target = torch.randn(8, 1, 8, 8), torch.randint(0, 5, (8,))
    losses = {}
    for device in ("cpu", "mps"):
        module = network().to(device)
        assert all(parameter.device.type == device for parameter in module.parameters())
        step = optimizer(module.parameters())
        losses[device] = []
        for _ in range(5):
            step.zero_grad()
            loss = nn.functional.cross_entropy(module(data.to(device)), target.to(device))
            loss.backward()
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            step.step()
            losses[device].append(loss.item())
    assert losses["mps"][-1] < losses["mps"][0]
    assert losses["mps"] == pytest.approx(losses["cpu"], rel=1e-4)


def test_backward_in_another_thread() -> None:
    x = torch.randn(10, device="mps", requires_grad=True)
    thread = threading.Thread(target=lambda: (x * x).sum().backward())
    thread.start()
    thread.join()
    assert x.grad is not None
    assert torch.equal(x.grad, 2 * x.detach())


def test_many_threads() -> None:
    results = {}

    def work(index: int) -> None:
        x = torch.full((50, 50), float(index), device="mps")
        for _ in range(20):
            x = (x @ torch.eye(50, device="mps")).relu()
        results[index] = x.sum().item()

    threads = [threading.Thread(target=work, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {index: 2500.0 * index for index in range(6)}


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")
def test_transforms() -> None:
    x = torch.randn(4, 3, device="mps")
    hessian = torch.func.hessian(lambda v: (v**3).sum())(x[0])
    torch.testing.assert_close(hessian, torch.diag(6 * x[0]))
    torch.testing.assert_close(torch.func.vmap(torch.dot)(x, x), (x * x).sum(1))
    _, tangent = torch.func.jvp(torch.sin, (x,), (torch.ones_like(x),))
    torch.testing.assert_close(tangent, x.cos())


def test_inference_mode_and_checkpoint() -> None:
    module = network().to("mps").eval()
    x = torch.randn(2, 1, 8, 8, device="mps", requires_grad=True)
    with torch.inference_mode():
        expected = module(x).clone()
        expected.add_(0)
    y = torch.utils.checkpoint.checkpoint(module, x, use_reentrant=False)
    y.sum().backward()
    torch.testing.assert_close(y.detach(), expected.clone())
    assert x.grad is not None


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("differentiable", [False, True])
def test_attention(dropout: float, differentiable: bool) -> None:
    q, k, v = (torch.randn(2, 4, 6, 8, device="mps", requires_grad=differentiable) for _ in range(3))
    attend = nn.functional.scaled_dot_product_attention
    y = attend(q, k, v, is_causal=True, dropout_p=dropout)
    if dropout == 0.0:
        torch.testing.assert_close(y.cpu(), attend(q.cpu(), k.cpu(), v.cpu(), is_causal=True))
    if differentiable:
        y.sum().backward()
        assert q.grad is not None
    with pytest.raises(RuntimeError, match="Explicit attn_mask should not be set when is_causal=True"):
        attend(q, k, v, torch.ones(6, 6, device="mps"), is_causal=True)
    with pytest.raises(RuntimeError, match="Expected query, key, and value to have the same dtype"):
        attend(q, k.half(), v)


def test_rms_norm_trains_through_its_parts() -> None:
    x = torch.randn(3, 4, device="mps", requires_grad=True)
    weight = torch.ones(4, device="mps", requires_grad=True)
    y = nn.functional.rms_norm(x, (4,), weight)
    y.square().sum().backward()
    reference = x.detach().cpu().requires_grad_()
    nn.functional.rms_norm(reference, (4,), torch.ones(4)).square().sum().backward()
    torch.testing.assert_close(x.grad.cpu(), reference.grad)
    with torch.no_grad():
        torch.testing.assert_close(nn.functional.rms_norm(x, (4,), weight), y.detach())


def test_recurrent_and_transformer_modules() -> None:
    torch.manual_seed(0)
    for module, data in (
        (nn.LSTM(4, 5, 2, bidirectional=True), torch.randn(3, 2, 4)),
        (nn.GRU(4, 5), torch.randn(3, 2, 4)),
        (nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True), torch.randn(2, 3, 4)),
    ):
        expected = module(data)
        actual = module.to("mps")(data.to("mps"))
        first = expected[0] if isinstance(expected, tuple) else expected
        torch.testing.assert_close((actual[0] if isinstance(actual, tuple) else actual).cpu(), first)


def test_process_that_ends_right_after_backward() -> None:
    """The device thread of autograd still has objects of Python to free then."""
    program = """
        install()
        torch.ones(3, device="mps", requires_grad=True).sum().backward()
    """
    results = [run(program) for _ in range(5)]
    assert [(result.returncode, result.stderr) for result in results] == [(0, "")] * 5
