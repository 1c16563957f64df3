"""torch.compile, export and fake tensors."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode


@pytest.mark.filterwarnings("ignore")
def test_compile_with_the_eager_backend() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.GELU(), torch.nn.Linear(8, 2)).to("mps")
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    x = torch.randn(3, 4, device="mps")
    torch.testing.assert_close(compiled(x), module(x))
    compiled(x).sum().backward()
    assert module[0].weight.grad.device.type == "mps"


@pytest.mark.filterwarnings("ignore")
def test_compile_through_aot_autograd() -> None:
    compiled = torch.compile(lambda x: (x.sin() @ x.t()).relu().sum(), backend="aot_eager", fullgraph=True)
    x = torch.randn(3, 3, device="mps", requires_grad=True)
    y = x.detach().clone().requires_grad_()
    compiled(x).backward()
    (y.sin() @ y.t()).relu().sum().backward()
    torch.testing.assert_close(x.grad, y.grad)


def test_fake_tensors() -> None:
    with FakeTensorMode():
        x = torch.empty(2, 3, device="mps")
        y = torch.nn.functional.linear(x, torch.empty(4, 3, device="mps"))
    assert y.shape == (2, 4)
    assert y.device.type == "mps"


@pytest.mark.filterwarnings("ignore")
def test_export() -> None:
    module = torch.nn.Linear(2, 2).to("mps")
    x = torch.randn(1, 2, device="mps")
    program = torch.export.export(module, (x,))
    torch.testing.assert_close(program.module()(x), module(x))
