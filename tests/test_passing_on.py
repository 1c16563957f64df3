"""Partial ops that do what torch's kernel refuses, and leave everything else to it."""

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F

import mpsops

OP = "aten::_mps_convolution_transpose"


def row(name: str) -> mpsops.OpRow:
    return next(row for row in mpsops.ops() if row.name == name)


def arguments(dtype: torch.dtype, dims: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(2, 3, *[4] * dims, dtype=dtype, device="mps")
    return x, torch.randn(3, 2, *[2] * dims, dtype=dtype, device="mps")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    mpsops.reset_counts()
    yield
    mpsops.enable()


@pytest.mark.parametrize(("dtype", "dims"), [(torch.float32, 3), (torch.float16, 2), (torch.float32, 2)])
def test_what_torch_takes_is_torchs(dtype: torch.dtype, dims: int) -> None:
    convolve = F.conv_transpose3d if dims == 3 else F.conv_transpose2d
    x, weight = arguments(dtype, dims)
    passed_on = convolve(x, weight)
    assert row(OP).calls == row(OP).dispatches == 0
    mpsops.disable("convolution")
    assert torch.equal(passed_on, convolve(x, weight))


def test_what_torch_refuses_is_ours() -> None:
    x, weight = arguments(torch.float16)
    F.conv_transpose3d(x, weight)
    assert row(OP).calls == 1
    mpsops.disable("convolution")
    with pytest.raises(RuntimeError, match="ConvTranspose 3D with BF16 or FP16 types is not supported"):
        F.conv_transpose3d(x, weight)
    mpsops.enable("convolution")
    F.conv_transpose3d(x, weight)
    assert row(OP).calls == 2


def test_what_torch_raises_comes_through() -> None:
    x, weight = arguments(torch.float32)
    with pytest.raises(RuntimeError, match="expected stride to be a single integer value or a list of 3"):
        torch.ops.aten._mps_convolution_transpose(x, weight, [0] * 3, [0] * 3, [1] * 2, [1] * 3, 1)
    assert torch.equal(F.conv_transpose3d(x, weight), F.conv_transpose3d(x, weight))


def test_gradients_of_what_is_passed_on() -> None:
    def gradients() -> list[torch.Tensor]:
        x, weight = (tensor.requires_grad_() for tensor in arguments(torch.float32))
        F.conv_transpose3d(x, weight, stride=2).square().sum().backward()
        return [x.grad, weight.grad]

    torch.manual_seed(0)
    passed_on = gradients()
    assert row("aten::mps_convolution_transpose_backward").calls == 0
    mpsops.disable("convolution")
    torch.manual_seed(0)
    assert all(map(torch.equal, passed_on, gradients()))


def test_traces_tell_whose_kernel_ran() -> None:
    x, weight = torch.ones(2, 3, device="mps"), torch.ones(4, 3, device="mps")
    places = []
    for dtype in (torch.float32, torch.int32):
        with mpsops.trace() as trace:
            F.linear(x.to(dtype), weight.to(dtype))
        places.append({row.place for row in trace.rows if row.op == "aten::linear"})
    assert places == [{"stock"}, {"mpsops"}]


def test_coverage_counts_the_op_as_torchs() -> None:
    model = torch.nn.Linear(3, 4).to("mps")
    found = mpsops.coverage(model, torch.ones(2, 3, device="mps"))
    (linear,) = (each for each in found.rows if each.name == "aten::linear")
    assert linear.state == "native"
    assert linear.reason.endswith("of mpsops where that one raises")
