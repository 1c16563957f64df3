"""What leaves the device for other libraries, and what refuses to."""

import numpy as np
import pytest
import torch


def test_numpy_refuses() -> None:
    x = torch.ones(2, device="mps")
    text = (
        "can't convert mps:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory "
        "first."
    )
    with pytest.raises(TypeError) as caught:
        x.numpy()
    assert str(caught.value) == text
    with pytest.raises(TypeError):
        np.asarray(x)
    assert x.cpu().numpy().tolist() == [1.0, 1.0]
    assert torch.from_numpy(np.ones(2, np.float32)).to("mps").tolist() == [1.0, 1.0]


def test_arrays_and_lists() -> None:
    assert torch.as_tensor([1, 2], device="mps").tolist() == [1, 2]
    assert torch.asarray(np.arange(3, dtype=np.int32), device="mps").tolist() == [0, 1, 2]


def test_dlpack() -> None:
    x = torch.ones(2, device="mps")
    assert x.__dlpack_device__() == (8, 0)  # Metal
    y = torch.from_dlpack(x)
    y.fill_(2)
    assert x.tolist() == [2.0, 2.0]
    with pytest.raises((BufferError, RuntimeError)):
        np.from_dlpack(x)
