"""torch._masked_softmax: masked rows, special values, long rows, rows across memory, masks that broadcast."""

import pytest
import torch

import mpsops

DTYPES = [torch.float32, torch.float16, torch.bfloat16]
backward = torch.ops.aten._masked_softmax_backward


def reference(x: torch.Tensor, mask: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """In float64; NaN where all is masked."""
    return x.double().masked_fill(mask, -torch.inf).softmax(dim)


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found.cpu(), expected.to(found.dtype), equal_nan=True)


# Around part of a simdgroup, one, a group, the longest row in registers.
@pytest.mark.parametrize("length", [1, 2, 31, 33, 255, 257, 3000, 8192, 8193, 10001])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_lengths(length: int, dtype: torch.dtype) -> None:
    torch.manual_seed(length)
    x, grad = (torch.randn(2, 3, length) * 3).to(dtype)
    mask = torch.rand(3, length) < 0.5
    mask[:, -1] = False
    output = torch._masked_softmax(x.to("mps"), mask.to("mps"))
    close(output, reference(x, mask))
    y, g = output.cpu().double(), grad.double()
    expected = (y * (g - (g * y).sum(-1, keepdim=True))).masked_fill(mask, 0.0)
    close(backward(grad.to("mps"), output, mask.to("mps"), -1), expected)


@pytest.mark.parametrize("length", [5, 40, 300])
@pytest.mark.parametrize("layout", ["contiguous", "transposed"])
def test_rows_across_memory(length: int, layout: str) -> None:
    x = torch.randn(2, length, 200)
    mask = torch.rand(2, length, 200) < 0.3
    if layout == "transposed":
        x, mask = x.transpose(0, 2), mask.transpose(0, 2)
    output = torch._masked_softmax(x.to("mps"), mask.to("mps"), 1)
    close(output, reference(x, mask, 1))
    assert output.stride() == torch.empty_like(x).stride()
    grad = torch.randn_like(x)
    y = output.cpu().double()
    expected = (y * (grad - (grad * y).sum(1, keepdim=True))).masked_fill(mask, 0.0)
    close(backward(grad.to("mps"), output, mask.to("mps"), 1), expected)


@pytest.mark.parametrize("length", [3, 9000])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_special_values_as_on_the_cpu(length: int, dtype: torch.dtype) -> None:
    inf, nan = torch.inf, torch.nan
    starts = [[1, 2], [inf, 1], [-inf, 1], [-inf, -inf], [nan, 1], [1, nan], [inf, inf], [-0.0, 0.0]]
    x = torch.full((len(starts), length), -3.0)
    x[:, :2] = torch.tensor(starts)
    x[3] = -inf
    x = x.to(dtype)
    masks = torch.zeros(4, length, dtype=torch.bool)
    masks[1, 0] = masks[2, 1] = True
    masks[3] = True
    for row in masks:
        mask = row.expand(x.shape)
        found = torch._masked_softmax(x.to("mps"), mask.to("mps"))
        expected = torch._masked_softmax(x, mask)
        assert torch.equal(found.cpu().isnan(), expected.isnan())
        close(found, reference(x, mask))


def test_all_masked_is_nan_and_has_no_gradient() -> None:
    x = torch.randn(3, 4, device="mps", requires_grad=True)
    mask = torch.zeros(3, 4, dtype=torch.bool, device="mps")
    mask[1] = True
    y = torch._masked_softmax(x, mask)
    assert y.isnan().all(1).tolist() == [False, True, False]
    (grad,) = torch.autograd.grad(y, x, torch.ones_like(y))
    assert grad[1].tolist() == [0.0] * 4
    assert not grad.isnan().any()


@pytest.mark.parametrize("dim", [0, 1, 2, 3, None])
def test_masks_that_broadcast(dim: int | None) -> None:
    x = torch.randn(2, 3, 6, 6)
    source, padding = torch.rand(6, 6) < 0.4, torch.rand(2, 6) < 0.4
    for mask, mask_type, full in ((source, 0, source), (padding, 1, padding[:, None, None])):
        # Another order in memory too: the CPU kernel's view of the mask wants it contiguous.
        for layout in (mask, mask.t().contiguous().t()):
            found = torch._masked_softmax(x.to("mps"), layout.to("mps"), dim, mask_type)
            close(found, reference(x, full.expand(x.shape), -1 if dim is None else dim))


def test_padding_mask_of_another_length_than_the_rows() -> None:
    """The CPU kernel reads past such a mask."""
    x, mask = torch.randn(2, 1, 3, 5, device="mps"), torch.zeros(2, 3, dtype=torch.bool, device="mps")
    with pytest.raises(RuntimeError, match=r"expanded size of the tensor \(5\) must match"):
        torch._masked_softmax(x, mask, 3, 1)


def test_empty_rows() -> None:
    """The CPU kernel divides by their length."""
    mask = torch.zeros(2, 0, 3, dtype=torch.bool, device="mps")
    assert torch._masked_softmax(torch.empty(2, 0, 3, device="mps"), mask, 1).shape == (2, 0, 3)


def test_gradient_of_a_smaller_mask_raises_as_on_the_cpu() -> None:
    def message(device: str) -> str:
        x = torch.randn(2, 1, 3, 3, device=device, requires_grad=True)
        y = torch._masked_softmax(x, torch.zeros(3, 3, dtype=torch.bool, device=device), 3, 0)
        with pytest.raises(RuntimeError) as error:
            y.sum().backward()
        return str(error.value)

    assert message("mps") == message("cpu")


@pytest.mark.skipif(mpsops._C.runtime != "sim", reason="takes more memory than most Macs have")
def test_offsets_beyond_32_bits() -> None:
    far = 2**31 + 9
    x = torch.randn(2, 5, dtype=torch.float16)
    mask = torch.rand(2, 5) < 0.3
    room = torch.empty(far + 5, dtype=torch.float16, device="mps")
    far_mask = torch.empty(far + 5, dtype=torch.bool, device="mps").as_strided((2, 5), (far, 1)).copy_(mask)
    found = torch._masked_softmax(room.as_strided((2, 5), (far, 1)).copy_(x), far_mask)
    close(found, reference(x, mask))
