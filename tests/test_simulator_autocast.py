"""torch.autocast("mps")."""

import pytest
import torch
from torch import nn


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_matrix_products_in_half_reductions_in_float(dtype: torch.dtype) -> None:
    x = torch.randn(4, 4, device="mps")
    with torch.autocast("mps", dtype=dtype):
        product = x @ x
        assert product.dtype == dtype
        assert product.softmax(0).dtype == torch.float32
        assert nn.Linear(4, 2, device="mps")(x).dtype == dtype
        assert torch.is_autocast_enabled("mps")
    assert (x @ x).dtype == torch.float32
    torch.testing.assert_close(product.float(), x @ x, rtol=0.05, atol=0.05)


def test_training_step_with_scaler() -> None:
    torch.manual_seed(0)
    module = nn.Linear(4, 2).to("mps")
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    scaler = torch.amp.GradScaler("mps")
    before = module.weight.detach().clone()
    with torch.autocast("mps", dtype=torch.float16):
        loss = module(torch.randn(3, 4, device="mps")).square().mean()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    assert not torch.equal(module.weight, before)


def test_unsupported_dtype_is_refused() -> None:
    with pytest.warns(UserWarning, match="In MPS autocast, but the target dtype is not supported"):
        context = torch.autocast("mps", dtype=torch.float32)
    with context:
        assert not torch.is_autocast_enabled("mps")
