"""Convolutions that torch's MPS kernels refuse: half volumes, transposed, and integers."""

import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from test_extra_memory import CONSTANT, extra_bytes

import mpsops

HALVES = (torch.float16, torch.bfloat16)
INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
TRANSPOSED = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
PLAIN = (F.conv1d, F.conv2d, F.conv3d)
VOLUMES: tuple[dict[str, Any], ...] = (
    {},
    {"stride": 2},
    {"stride": (1, 2, 3), "padding": (1, 0, 1), "output_padding": (0, 1, 2), "dilation": (2, 1, 3)},
    {"groups": 2, "stride": 2, "padding": 1},
)


def volume(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    tensors = torch.randn(2, 4, 3, 4, 5), torch.randn(4, 4, 2, 3, 2), torch.randn(4)
    return tuple(tensor.to(dtype) for tensor in tensors)


def calls(name: str) -> int:
    return next(row.calls for row in mpsops.ops() if row.name == f"aten::{name}")


@pytest.mark.op("aten::_mps_convolution_transpose")
@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("keywords", VOLUMES, ids=str)
def test_half_volumes_are_float32_rounded_once(dtype: torch.dtype, keywords: dict[str, Any]) -> None:
    input, weight, _ = (tensor.to("mps") for tensor in volume(dtype))
    weight = weight[:, : 4 // keywords.get("groups", 1)]
    expected = F.conv_transpose3d(input.float(), weight.float(), **keywords)
    before = calls("_mps_convolution_transpose")
    found = F.conv_transpose3d(input, weight, **keywords)
    assert calls("_mps_convolution_transpose") == before + 1
    assert found.dtype == dtype
    assert torch.equal(found, expected.to(dtype))


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_bias_is_added_to_the_rounded_result(dtype: torch.dtype) -> None:
    """By torch, as in one and two dimensions."""
    input, weight, bias = (tensor.to("mps") for tensor in volume(dtype))
    expected = F.conv_transpose3d(input, weight) + bias[:, None, None, None]
    assert torch.equal(F.conv_transpose3d(input, weight, bias), expected)


@pytest.mark.op("aten::mps_convolution_transpose_backward")
@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("keywords", VOLUMES, ids=str)
def test_gradients_of_half_volumes(dtype: torch.dtype, keywords: dict[str, Any]) -> None:
    tensors = [tensor.to(dtype) for tensor in volume(torch.float32)]
    tensors[1] = tensors[1][:, : 4 // keywords.get("groups", 1)]
    tensors[2] = tensors[2][:4]
    results = []
    before = calls("mps_convolution_transpose_backward")
    for device, wide in (("mps", dtype), ("cpu", torch.float64)):
        leaves = [tensor.detach().to(device, wide).requires_grad_() for tensor in tensors]
        output = F.conv_transpose3d(*leaves, **keywords)
        torch.manual_seed(1)
        gradient = torch.randn(output.shape).to(dtype)
        results.append(torch.autograd.grad(output, leaves, gradient.to(device, wide)))
    assert calls("mps_convolution_transpose_backward") == before + 1
    for found, expected in zip(*results, strict=True):
        assert found.dtype == dtype
        torch.testing.assert_close(found.cpu(), expected.to(dtype))


@pytest.mark.parametrize("wanted", [(True, False), (False, True)], ids=["input", "weight"])
def test_one_gradient_alone(wanted: tuple[bool, bool]) -> None:
    input, weight, _ = (tensor.to("mps") for tensor in volume(torch.float16))
    output = F.conv_transpose3d(input.requires_grad_(wanted[0]), weight.requires_grad_(wanted[1]))
    output.sum().backward()
    assert (input.grad is not None, weight.grad is not None) == wanted


def test_second_gradient_of_half_volumes() -> None:
    results = []
    for device, dtype in (("mps", torch.float16), ("cpu", torch.float64)):
        torch.manual_seed(0)
        leaves = [t.to(device, dtype).requires_grad_() for t in volume(torch.float16)[:2]]
        output = F.conv_transpose3d(*leaves)
        first = torch.autograd.grad(output, leaves, torch.full_like(output, 0.125), create_graph=True)
        results.append(torch.autograd.grad(sum(g.sum() for g in first), leaves))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found.cpu(), expected.half())


def test_a_half_module_trains() -> None:
    module = torch.nn.ConvTranspose3d(4, 2, 3, stride=2).to("mps", torch.bfloat16)
    x = torch.randn(1, 4, 3, 3, 3, device="mps", dtype=torch.bfloat16)
    before = module.weight.detach().clone()
    module(x).square().mean().backward()
    torch.optim.SGD(module.parameters(), lr=1.0).step()
    assert not torch.equal(before, module.weight)


def test_compiled() -> None:
    input, weight, bias = (tensor.to("mps") for tensor in volume(torch.float16))
    compiled = torch.compile(F.conv_transpose3d, backend="aot_eager")
    assert torch.equal(compiled(input, weight, bias), F.conv_transpose3d(input, weight, bias))


def test_channels_last_volumes() -> None:
    input, weight, _ = (tensor.to("mps") for tensor in volume(torch.float16))
    strided = input.to(memory_format=torch.channels_last_3d)
    assert torch.equal(F.conv_transpose3d(strided, weight), F.conv_transpose3d(input, weight))


def test_operands_of_two_dtypes() -> None:
    input, weight, _ = (tensor.to("mps") for tensor in volume(torch.float16))
    with pytest.raises(RuntimeError, match=r"^Input type \(.*\) and weight type \(.*\) should be the same"):
        torch.ops.aten._mps_convolution_transpose(
            input, weight.float(), [0] * 3, [0] * 3, [1] * 3, [1] * 3, 1
        )


def test_memory_of_a_half_volume() -> None:
    """float32 copies of the operands and of the result, no more."""
    input = torch.randn(1, 16, 16, 16, 16, device="mps").half()
    weight = torch.randn(16, 16, 2, 2, 2, device="mps").half()
    arguments = (input, weight, [0] * 3, [0] * 3, [2] * 3, [1] * 3, 1)
    extra, results = extra_bytes(lambda: torch.ops.aten._mps_convolution_transpose(*arguments))
    floats = 4 * (input.numel() + weight.numel() + results // 2)
    assert extra <= floats + CONSTANT


def integers(dtype: torch.dtype, *sizes: int) -> torch.Tensor:
    """Large enough that sums wrap around."""
    limits = torch.iinfo(dtype)
    return torch.randint(limits.min, limits.max, sizes, dtype=dtype)


def check_integers(convolve: Any, *tensors: torch.Tensor, **keywords: Any) -> None:
    found = convolve(*(tensor.to("mps") for tensor in tensors), **keywords)
    expected = convolve(*tensors, **keywords)
    assert found.dtype == expected.dtype
    assert torch.equal(found.cpu(), expected), keywords


@pytest.mark.op("aten::_mps_convolution")
@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_integers(dims: int, dtype: torch.dtype) -> None:
    convolve = PLAIN[dims - 1]
    size, kernel = [7, 6, 5][-dims:], [2, 3, 2][-dims:]
    for stride, padding, dilation, groups in itertools.product((1, 2), (0, 1), (1, 2), (1, 2)):
        if dilation > 1 and dtype != torch.int64:
            continue
        input = integers(dtype, 2, 4, *size)
        weight = integers(dtype, 6, 4 // groups, *kernel)
        check_integers(
            convolve,
            input,
            weight,
            *([integers(dtype, 6)] if stride == 1 else []),
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
        )


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_transposed_integers(dims: int) -> None:
    convolve = TRANSPOSED[dims - 1]
    size, kernel = [4, 3, 5][-dims:], [2, 3, 2][-dims:]
    for stride, padding, dilation, groups in itertools.product((1, 2, 3), (0, 1), (1, 2), (1, 2)):
        check_integers(
            convolve,
            integers(torch.int64, 2, 4, *size),
            integers(torch.int64, 4, 3, *kernel),
            integers(torch.int64, 3 * groups),
            stride=stride,
            padding=padding,
            output_padding=min(stride, 2) - 1,
            dilation=dilation,
            groups=groups,
        )


def test_integers_of_any_layout() -> None:
    input, weight = integers(torch.int64, 2, 4, 6, 7), integers(torch.int64, 6, 4, 2, 3)
    expected = F.conv2d(input, weight)
    x, w = input.to("mps"), weight.to("mps")
    last = x.to(memory_format=torch.channels_last)
    assert torch.equal(F.conv2d(last, w).cpu(), expected)
    padded = torch.zeros(2, 9, 8, 8, dtype=torch.int64, device="mps")[:, 1::2, 1:7, 1:]
    assert torch.equal(F.conv2d(padded.copy_(x), w.mT.contiguous().mT).cpu(), expected)
    assert F.conv2d(x[:0], w).shape == (0, 6, 5, 5)


def test_integers_in_one_dispatch() -> None:
    mpsops.reset_counts()
    x = torch.ones(1, 2, 5, 5, dtype=torch.int32, device="mps")
    F.conv2d(x, x[:, :, :2, :2], x[0, 0, 0, :1])
    (found,) = (row for row in mpsops.ops() if row.name == "aten::_mps_convolution")
    assert (found.calls, found.dispatches) == (1, 1)


@pytest.mark.parametrize("dtype", [torch.bool, torch.int32, torch.uint16], ids=str)
def test_dtypes_are_those_of_the_cpu(dtype: torch.dtype) -> None:
    cases: list[tuple[Any, int, dict[str, int]]] = [
        *((convolve, dims, {}) for dims, convolve in enumerate(TRANSPOSED, 1)),
        *((convolve, dims, {"dilation": 2}) for dims, convolve in enumerate(PLAIN, 1)),
    ]
    if dtype != torch.int32:
        cases += [(convolve, dims, {}) for dims, convolve in enumerate(PLAIN, 1)]
    for convolve, dims, keywords in cases:
        x = torch.ones(1, 1, *[4] * dims).to(dtype)
        weight = torch.ones(1, 1, *[2] * dims).to(dtype)
        with pytest.raises(NotImplementedError) as on_cpu:
            convolve(x, weight, **keywords)
        with pytest.raises(NotImplementedError) as on_mps:
            convolve(x.to("mps"), weight.to("mps"), **keywords)
        assert str(on_mps.value) == str(on_cpu.value)


def test_bad_sizes_are_refused_as_on_the_cpu() -> None:
    x, weight = torch.ones(1, 2, 3, 3, dtype=torch.int64), torch.ones(1, 2, 4, 4, dtype=torch.int64)
    for w in (weight, weight[:, :1, :2, :2]):
        with pytest.raises(RuntimeError) as on_cpu:
            F.conv2d(x, w)
        with pytest.raises(RuntimeError) as on_mps:
            F.conv2d(x.to("mps"), w.to("mps"))
        assert str(on_mps.value) == str(on_cpu.value)
