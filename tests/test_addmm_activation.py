"""torch._addmm_activation: which gelu, and that everything stays on the device."""

import pytest
import torch
from torch.nn import functional

import mpsops


@pytest.mark.parametrize("use_gelu", [False, True])
def test_is_addmm_and_its_activation(use_gelu: bool) -> None:
    bias, left, right = torch.randn(5), torch.randn(20, 30), torch.randn(30, 5)
    on_mps = [t.to("mps") for t in (bias, left, right)]
    mpsops.reset_counts()
    found = torch._addmm_activation(*on_mps, beta=0.5, alpha=2, use_gelu=use_gelu)
    rows = {row.name: row for row in mpsops.ops() if row.family == "addmm_activation"}
    assert (rows["aten::_addmm_activation"].calls, rows["aten::_addmm_activation"].dispatches) == (1, 0)
    product = torch.addmm(bias, left, right, beta=0.5, alpha=2)
    activation = functional.gelu if use_gelu else functional.relu  # not tanh's approximation
    torch.testing.assert_close(found.cpu(), activation(product))


def test_out_may_be_the_bias() -> None:
    bias, left, right = torch.randn(4, 5), torch.randn(4, 3), torch.randn(3, 5)
    expected = torch._addmm_activation(bias, left, right)
    on_mps = bias.to("mps")
    torch._addmm_activation(on_mps, left.to("mps"), right.to("mps"), out=on_mps)
    torch.testing.assert_close(on_mps.cpu(), expected)
