"""_compute_linear_combination with out=, and what the CPU kernel does not check."""

import pytest
import torch

op = torch.ops.aten._compute_linear_combination


@pytest.mark.op("aten::_compute_linear_combination.out")
@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64, torch.int64, torch.bool], ids=str)
def test_out_is_added_to(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    inputs = torch.randn(3, 5, 4).to(dtype).transpose(1, 2)
    coefficients = torch.randn(6, 3).to(dtype.to_real())
    start = torch.randn(6, 4, 5, 2).to(dtype)
    outs = []
    for device in ("cpu", "mps"):
        out = start.clone().to(device)[..., 0]
        assert op(inputs.to(device), coefficients.to(device), out=out) is out
        outs.append(out.cpu())
    torch.testing.assert_close(outs[1], outs[0])


def test_half_adds_up_in_float() -> None:
    inputs = torch.full((3000, 1), 0.001).half().to("mps")
    total = op(inputs, torch.ones(1, 3000, dtype=torch.half, device="mps"))
    assert total.item() == inputs.float().sum().half().item()


@pytest.mark.op("aten::_compute_linear_combination.out")
def test_bad_operands() -> None:
    x, coefficients = torch.ones(3, 4, device="mps"), torch.ones(2, 3, device="mps")
    with pytest.raises(RuntimeError, match="coefficients must be a matrix with at most 2 columns"):
        op(x[:2], coefficients)
    with pytest.raises(RuntimeError, match="coefficients must be Float, got Half"):
        op(x, coefficients.half())
    with pytest.raises(RuntimeError, match="out must be Float, got Half"):
        op(x, coefficients, out=torch.ones(2, 4, device="mps").half())
    for sizes in ((1,), (3, 4), (2, 1)):
        texts = []
        for device in ("cpu", "mps"):
            with pytest.raises(RuntimeError) as error:
                op(x.to(device), coefficients.to(device), out=torch.ones(sizes, device=device))
            texts.append(str(error.value))
        assert texts[0] == texts[1]
    with pytest.raises(NotImplementedError, match="not implemented for 'UInt16'"):
        op(x.to(torch.uint16), coefficients.to(torch.uint16))
