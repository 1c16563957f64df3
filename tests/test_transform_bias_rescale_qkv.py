"""torch._transform_bias_rescale_qkv: more tokens than rows of the grid, layouts, bad arguments."""

import math

import pytest
import torch


def reference(qkv: torch.Tensor, bias: torch.Tensor, heads: int) -> list[torch.Tensor]:
    batch, tokens, width = qkv.shape
    parts = (qkv + bias).view(batch, tokens, 3, heads, width // 3 // heads).permute(2, 0, 3, 1, 4)
    return [parts[0] / math.sqrt(width // 3 // heads), parts[1], parts[2]]


@pytest.mark.parametrize("shape", [(1, 70000, 6), (66000, 1, 3), (2, 3, 900)])
def test_sizes(shape: tuple[int, ...]) -> None:
    qkv, bias = torch.randn(shape), torch.randn(shape[2])
    found = torch._transform_bias_rescale_qkv(qkv.to("mps"), bias.to("mps"), 1)
    for actual, expected in zip(found, reference(qkv, bias, 1), strict=True):
        torch.testing.assert_close(actual.cpu(), expected)
        assert actual.is_contiguous()


def test_nothing_is_copied_for_strides() -> None:
    base, bias = torch.randn(12, 5, 2, device="mps"), torch.randn(24, device="mps")[::2]
    found = torch._transform_bias_rescale_qkv(base.transpose(0, 2), bias, 2)
    for actual, expected in zip(found, reference(base.cpu().transpose(0, 2), bias.cpu(), 2), strict=True):
        torch.testing.assert_close(actual.cpu(), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_rounds_once(dtype: torch.dtype) -> None:
    """With 4 features a head, scaling is exact."""
    qkv, bias = torch.randn(3, 4, 24).to(dtype), torch.randn(24).to(dtype)
    found = torch._transform_bias_rescale_qkv(qkv.to("mps"), bias.to("mps"), 2)
    for actual, expected in zip(found, reference(qkv.float(), bias.float(), 2), strict=True):
        assert torch.equal(actual.cpu(), expected.to(dtype))


def test_bad_arguments() -> None:
    qkv, bias = torch.randn(2, 3, 12, device="mps"), torch.randn(12, device="mps")
    with pytest.raises(RuntimeError, match="expected scalar type Float but found Half"):
        torch._transform_bias_rescale_qkv(qkv, bias.half(), 2)
    with pytest.raises(RuntimeError, match=r"qkv_bias must be of size \[12\], got \[9\]"):
        torch._transform_bias_rescale_qkv(qkv, bias[:9], 2)
    with pytest.raises(RuntimeError, match="num_heads must be positive, got 0"):
        torch._transform_bias_rescale_qkv(qkv, bias, 0)
    with pytest.raises(RuntimeError, match="3 dimensions"):
        torch._transform_bias_rescale_qkv(qkv[None], bias, 1)
