"""torch.compile with inductor's Metal backend: kernels that it generates run on the simulator, unchanged."""

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional

from mpsops import _C

if _C.runtime != "sim":
    pytest.skip("on a Mac this is torch's own", allow_module_level=True)

from torch._inductor.utils import run_and_get_code

FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "pointwise": lambda x: torch.where(x > 0, x.sin() * 2, x.exp()).relu() + (x * 10).long() // 3,
    "half": lambda x: x.half() * 3,
    "indexing": lambda x: torch.cat([x, x + 1])[torch.tensor([1, 0, 9], device=x.device)].t().contiguous(),
    "reduction": lambda x: x.var(-1) + x.amax(-1) + x.argmin(-1),
    "softmax": lambda x: torch.softmax(x.repeat(1, 20), -1),
    "layer norm": lambda x: functional.layer_norm(x, (x.shape[-1],)),
    "matmul": lambda x: functional.gelu(x @ x.t()),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_generated_kernels(name: str) -> None:
    torch._dynamo.reset()
    function = FUNCTIONS[name]
    x = torch.randn(8, 70, device="mps")
    compiled = torch.compile(function, fullgraph=True)
    result, code = run_and_get_code(compiled, x)
    assert "kernel void" in code[0]
    torch.testing.assert_close(result, function(x))


@pytest.mark.filterwarnings("ignore")
def test_gradients() -> None:
    torch._dynamo.reset()
    model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.LayerNorm(5)).to("mps")
    x = torch.randn(4, 6, device="mps")
    expected = torch.autograd.grad(model(x).square().sum(), list(model.parameters()))
    torch.compile(model, fullgraph=True)(x).square().sum().backward()
    torch.testing.assert_close([p.grad for p in model.parameters()], list(expected))


@pytest.mark.filterwarnings("ignore")
def test_an_index_that_is_out_of_range() -> None:
    torch._dynamo.reset()
    compiled = torch.compile(lambda x, i: x[i] + 1, fullgraph=True)
    x = torch.zeros(4, device="mps")
    assert compiled(x, torch.tensor([3, 0], device="mps")).tolist() == [1, 1]
    with pytest.raises(torch.AcceleratorError, match="out of range"):
        compiled(x, torch.tensor([3, 7], device="mps")).cpu()
