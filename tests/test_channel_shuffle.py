"""channel_shuffle: every dtype and layout by one copy; its gradient is the shuffle back."""

import pytest
import torch
from torch.nn import functional

DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.int64, torch.uint8, torch.bool]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(2, 6, 5), (2, 6, 3, 5), (2, 6, 3, 2, 5), (1, 6, 1, 1)])
def test_layouts_and_dtypes(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = (torch.randn(shape) * 3).to(dtype)
    layouts = [x, x.transpose(0, 1).contiguous().transpose(0, 1), x.transpose(-1, -2).contiguous().mT]
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    if len(shape) in formats:
        layouts.append(x.contiguous(memory_format=formats[len(shape)]))
    for layout in layouts:
        on_mps = layout.to("mps").as_strided(layout.shape, layout.stride())
        for groups in (1, 2, 3, 6):
            found = functional.channel_shuffle(on_mps, groups)
            expected = functional.channel_shuffle(layout, groups)
            assert torch.equal(found.cpu(), expected)
            assert found.stride() == expected.stride()


def test_what_is_empty_is_returned_as_it_is() -> None:
    x = torch.empty(0, 4, 3, device="mps")
    assert functional.channel_shuffle(x, 2).shape == x.shape


def test_native_channel_shuffle_keeps_its_gradient() -> None:
    x = torch.randn(2, 6, 4, device="mps", requires_grad=True)
    y = torch.native_channel_shuffle(x, 3)
    assert torch.equal(y, functional.channel_shuffle(x, 3))
    (grad,) = torch.autograd.grad(y, x, y.detach())
    assert torch.equal(grad, x)
