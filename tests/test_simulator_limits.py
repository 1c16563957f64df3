"""Stock MPS kernels that take some inputs only raise here, too, unless mpsops replaces them."""

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F

import mpsops


@pytest.fixture(autouse=True)
def _stock_torch() -> Iterator[None]:
    mpsops.disable()
    yield
    mpsops.enable()


def test_adaptive_average_pooling_that_does_not_divide() -> None:
    x = torch.ones(1, 1, 10, 10, device="mps")
    assert F.adaptive_avg_pool2d(x, 5).tolist() == torch.ones(1, 1, 5, 5).tolist()
    assert F.adaptive_avg_pool2d(x, 20).shape == (1, 1, 20, 20)
    text = r"^Adaptive pool MPS: {} sizes must be divisible by {} sizes\. Non-divisible input sizes are not"
    with pytest.raises(RuntimeError, match=text.format("input", "output")):
        F.adaptive_avg_pool2d(x, 3)
    with pytest.raises(RuntimeError, match=text.format("output", "input")):
        F.adaptive_avg_pool2d(x, 13)
    with pytest.raises(RuntimeError, match=text.format("input", "output")):
        F.adaptive_avg_pool1d(x[0], 3)
    with pytest.raises(RuntimeError, match="must both be greater than, or equal to, or lesser than"):
        F.adaptive_avg_pool2d(x, (5, 20))
    with pytest.raises(RuntimeError, match="must both be greater than"):
        F.adaptive_max_pool2d(x, (5, 20))


def test_transposed_convolution_of_half_volumes() -> None:
    x = torch.ones(1, 1, 2, 2, 2, device="mps")
    assert F.conv_transpose3d(x, x).shape == (1, 1, 3, 3, 3)
    with pytest.raises(
        RuntimeError, match="ConvTranspose 3D with BF16 or FP16 types is not supported on MPS"
    ):
        F.conv_transpose3d(x.half(), x.half())


def test_convolution_of_integers() -> None:
    plain = [F.conv1d, F.conv2d, F.conv3d]
    transposed = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d]
    for convolve, dims in zip(plain + transposed, [1, 2, 3] * 2, strict=True):
        x = torch.ones(1, 1, *[2] * dims, dtype=torch.int64, device="mps")
        with pytest.raises(RuntimeError, match=r"^Convolution is supported only for Floating types"):
            convolve(x, x)


def test_linear_of_integers() -> None:
    x = torch.ones(2, 2, device="mps")
    text = "MPS device does not support linear for non-float "
    with pytest.raises(RuntimeError, match=text + "inputs"):
        F.linear(x.int(), x.int())
    with pytest.raises(RuntimeError, match=text + "weights"):
        F.linear(x, x.int())
    with pytest.raises(RuntimeError, match=text + "bias"):
        F.linear(x, x, x[0].bool())


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
def test_quantised_tensors_are_refused() -> None:
    with pytest.raises(NotImplementedError):
        torch.quantize_per_tensor(torch.ones(2, device="mps"), 0.1, 0, torch.qint8)
    with pytest.raises(NotImplementedError):
        torch.empty_quantized(
            [2], torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), device="mps"
        )


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
def test_compressed_sparse_tensors_are_refused() -> None:
    with pytest.raises(NotImplementedError):
        torch.ones(2, 2, device="mps").to_sparse_csr()
