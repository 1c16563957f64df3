"""Antialiased resizing beyond its OpInfo samples: Lanczos on bytes bit for bit, every ratio of sizes, half
precision, both schemes, layouts, 64-bit offsets, grad_input=, and errors."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

import mpsops

aten = torch.ops.aten
FILTERS = ["bilinear", "bicubic", "lanczos"]

# Input and output sizes: shrinking, growing, mixed, equal along an axis, one, long.
SIZES = [
    ((20, 23), (7, 5)),
    ((6, 5), (17, 21)),
    ((9, 31), (14, 11)),
    ((12, 10), (12, 4)),
    ((8, 9), (8, 9)),
    ((1, 7), (5, 1)),
    ((3, 500), (2, 31)),
    ((2, 3), (41, 60)),
]


def forward(kind: str) -> Any:
    return getattr(aten, f"_upsample_{kind}2d_aa")


def backward(kind: str) -> Any:
    return getattr(aten, f"_upsample_{kind}2d_aa_backward")


def on_mps(tensor: torch.Tensor) -> torch.Tensor:
    """The same values and strides on the device."""
    storage = torch.empty(0, dtype=tensor.dtype).set_(tensor.untyped_storage()).to("mps")
    return storage.as_strided(tensor.size(), tensor.stride(), tensor.storage_offset())


def assert_near(ours: torch.Tensor, cpu: torch.Tensor, reference: torch.Tensor) -> None:
    """As near to float64 as float32's default tolerance, or as the CPU kernel is at its worst."""
    tolerance = 1.3e-6 * reference.abs() + 1e-5
    error = (ours.cpu().double() - reference).abs() / tolerance
    assert error.max() <= max(1.0, ((cpu.double() - reference).abs() / tolerance).max())


@pytest.mark.parametrize("channels", [1, 3, 4, 6])
def test_lanczos_of_bytes_is_the_cpus_bit_for_bit(channels: int) -> None:
    """Up to 4 channels the CPU has other kernels than above; noise finds every difference of rounding."""
    for size, output_size in (*SIZES, ((64, 48), (23, 31)), ((33, 97), (90, 13)), ((7, 1500), (7, 9))):
        x = torch.randint(256, (2, channels, *size), dtype=torch.uint8)
        for align_corners in (False, True):
            for each in (x, x.contiguous(memory_format=torch.channels_last)):
                expected = forward("lanczos")(each, output_size, align_corners)
                ours = forward("lanczos")(on_mps(each), output_size, align_corners)
                assert torch.equal(ours.cpu(), expected)
                assert ours.stride() == expected.stride()


def test_lanczos_of_bytes_with_scales() -> None:
    """Scales that keep windows within the input; the CPU kernel reads past its end for others."""
    x = torch.randint(256, (1, 5, 40, 50), dtype=torch.uint8)
    for scales in ((0.8, 0.75), (1.3, 2.1), (5.0, 3.0), (100.0, 0.77), (1.0, 1.0)):
        arguments = ([31, 37], False, *scales)
        ours = forward("lanczos")(x.to("mps"), *arguments)
        assert torch.equal(ours.cpu(), forward("lanczos")(x, *arguments))


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(("size", "output_size"), SIZES, ids=str)
def test_lanczos(size: tuple[int, int], output_size: tuple[int, int], align_corners: bool) -> None:
    x = torch.randn(2, 5, *size)
    for each in (x, x.contiguous(memory_format=torch.channels_last), x.transpose(0, 1)):
        expected = forward("lanczos")(each, output_size, align_corners)
        reference = forward("lanczos")(each.double(), output_size, align_corners)
        ours = forward("lanczos")(on_mps(each), output_size, align_corners)
        assert_near(ours, expected, reference)
        assert ours.stride() == expected.stride()


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("kind", FILTERS)
@pytest.mark.parametrize(("size", "output_size"), SIZES, ids=str)
def test_gradients(
    kind: str, size: tuple[int, int], output_size: tuple[int, int], align_corners: bool
) -> None:
    grad = torch.randn(2, 5, *output_size)
    for each in (grad, grad.contiguous(memory_format=torch.channels_last), grad.transpose(0, 1)):
        arguments = (output_size, [*each.shape[:2], *size], align_corners)
        expected = backward(kind)(each, *arguments)
        ours = backward(kind)(on_mps(each), *arguments)
        assert_near(ours, expected, backward(kind)(each.double(), *arguments))
        assert ours.stride() == expected.stride()


@pytest.mark.parametrize("kind", FILTERS)
def test_gradients_with_scales(kind: str) -> None:
    """Scales that fit the sizes or not: windows may lie beyond the input."""
    grad = torch.randn(1, 2, 12, 13)
    fitting = ((0.6, 0.65), (1.2, 1.3), (-1.0, None))
    for scales in (*fitting, (0.1, 4.0), (30.0, 1e-3), (1e6, 1.0), (1.0, 2.0), (1e-3, 1e9)):
        arguments = ([12, 13], [1, 2, 20, 10], False, *scales)
        expected = backward(kind)(grad, *arguments)
        ours = backward(kind)(grad.to("mps"), *arguments)
        assert_near(ours, expected, backward(kind)(grad.double(), *arguments))


@pytest.mark.parametrize("kind", FILTERS)
@pytest.mark.parametrize(("size", "output_size"), [((12, 15), (4, 5)), ((20, 9), (8, 21))], ids=str)
def test_nan_and_infinity_reach_what_they_do_on_the_cpu(
    kind: str, size: tuple[int, int], output_size: tuple[int, int]
) -> None:
    """Pixels of weight 0 at the ends of a window included: where windows end is the CPU's to the pixel."""
    for special in (float("nan"), float("inf")):
        calls = [(backward(kind), torch.randn(1, 9, *output_size), (output_size, [1, 9, *size], False))]
        if kind == "lanczos":
            calls.append((forward(kind), torch.randn(1, 9, *size), (output_size, False)))
        for op, x, arguments in calls:
            for channel in range(9):
                x[0, channel, channel % x.shape[2], (2 * channel) % x.shape[3]] = special
            expected = op(x, *arguments)
            ours = op(x.to("mps"), *arguments).cpu()
            torch.testing.assert_close(ours, expected, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("size", "output_size"), SIZES, ids=str)
def test_gradients_in_half_precision(
    kind: str, size: tuple[int, int], output_size: tuple[int, int], dtype: torch.dtype
) -> None:
    """torch's forward kernels on MPS take these dtypes, and so do gradients; the CPU has neither."""
    grad = torch.randn(2, 3, *output_size).to(dtype)
    arguments = (output_size, [2, 3, *size], False)
    ours = backward(kind)(grad.to("mps"), *arguments)
    reference = backward(kind)(grad.double(), *arguments)
    torch.testing.assert_close(ours.cpu(), reference.to(dtype))


def test_lanczos_to_one_column() -> None:
    """There the CPU kernel weighs all rows as it weighs the first; what is expected has two columns."""
    for dtype in (torch.float32, torch.uint8):
        x = (torch.rand(1, 5, 12, 9) * 255).to(dtype)
        column = forward("lanczos")(x, [12, 1], False).expand(-1, -1, -1, 2)
        expected = forward("lanczos")(column, [7, 2], False)[..., :1]
        ours = forward("lanczos")(x.to("mps"), [7, 1], False)
        torch.testing.assert_close(ours.cpu(), expected)


def dispatches() -> int:
    return sum(row.dispatches for row in mpsops.ops() if row.family == "upsample_aa")


@pytest.mark.parametrize(
    ("kind", "size", "output_size", "count"),
    [
        ("bilinear", (40, 40), (20, 20), 2),
        ("bilinear", (10, 10), (20, 20), 2),
        ("bicubic", (40, 40), (20, 20), 2),
        ("bicubic", (4, 4), (90, 90), 3),
        ("lanczos", (40, 40), (20, 20), 3),
    ],
)
def test_dispatches_of_gradients(
    kind: str, size: tuple[int, int], output_size: tuple[int, int], count: int
) -> None:
    grad = torch.randn(1, 2, *output_size, device="mps")
    before = dispatches()
    first = backward(kind)(grad, output_size, [1, 2, *size], False)
    assert dispatches() - before == count
    # Gathered in a fixed order.
    assert torch.equal(backward(kind)(grad, output_size, [1, 2, *size], False), first)
    before = dispatches()
    assert backward(kind)(grad[:0], output_size, [0, 2, *size], False).numel() == 0
    assert dispatches() == before


def test_dispatches_of_lanczos() -> None:
    x = torch.randn(1, 2, 10, 12, device="mps")
    for output_size, count in (([5, 6], 3), ([10, 6], 2), ([5, 12], 2), ([10, 12], 0)):
        before = dispatches()
        forward("lanczos")(x, output_size, False)
        assert dispatches() - before == count


def test_same_size_is_a_copy_of_any_dtype() -> None:
    """As on the CPU, which resizes float32 and uint8 only."""
    for dtype in (torch.half, torch.bfloat16, torch.int32, torch.bool):
        x = torch.randint(2, (1, 2, 4, 5)).to(dtype)
        assert torch.equal(forward("lanczos")(x.to("mps"), [4, 5], False).cpu(), x)


def far_apart(values: torch.Tensor) -> torch.Tensor:
    """The values on the device, more than 2^31 elements between channels. The simulator's memory is lazy."""
    far = 2**31 + 9
    strides = (far, far, values.shape[3], 1)
    span = far + values.shape[2] * values.shape[3]
    memory = torch.empty(span, dtype=values.dtype, device="mps")
    return memory.as_strided(values.shape, strides).copy_(values)


@pytest.mark.skipif(mpsops._C.runtime != "sim", reason="takes more memory than most Macs have")
def test_offsets_beyond_32_bits() -> None:
    x = torch.randint(256, (1, 2, 8, 9), dtype=torch.uint8)
    ours = forward("lanczos")(far_apart(x), [5, 12], False)
    assert torch.equal(ours.cpu(), forward("lanczos")(x, [5, 12], False))
    grad = torch.randn(1, 2, 5, 12).half()
    ours = backward("bicubic")(far_apart(grad), [5, 12], [1, 2, 8, 9], False)
    reference = backward("bicubic")(grad.double(), [5, 12], [1, 2, 8, 9], False)
    torch.testing.assert_close(ours.cpu(), reference.half())


@pytest.mark.op(
    "aten::_upsample_bilinear2d_aa_backward.grad_input",
    "aten::_upsample_bicubic2d_aa_backward.grad_input",
    "aten::_upsample_lanczos2d_aa_backward.grad_input",
)
@pytest.mark.parametrize("kind", FILTERS)
def test_grad_input_out(kind: str) -> None:
    grad = torch.randn(2, 3, 5, 6)
    arguments = ([5, 6], [2, 3, 9, 8], False)
    expected = backward(kind)(grad, *arguments)
    op = backward(kind).grad_input
    strided = torch.empty(2, 3, 9, 8, 2, device="mps")[..., 0]
    for grad_input in (torch.empty(0, device="mps"), torch.full((2, 3, 9, 8), 7.0, device="mps"), strided):
        assert op(grad.to("mps"), *arguments, grad_input=grad_input) is grad_input
        torch.testing.assert_close(grad_input.cpu(), expected)
    with pytest.raises(RuntimeError, match="Expected out tensor to have dtype float, but got c10::Half"):
        op(grad.to("mps"), *arguments, grad_input=torch.empty(0, dtype=torch.half, device="mps"))


def error_of(call: Callable[[], Any]) -> tuple[type, str]:
    with pytest.raises((RuntimeError, NotImplementedError)) as raised:
        call()
    return type(raised.value), str(raised.value).partition("\n")[0]


@pytest.mark.parametrize("kind", FILTERS)
def test_gradients_raise_as_on_the_cpu(kind: str) -> None:
    def call(device: str, grad: list[int], size: list[int], shape: list[int], dtype: torch.dtype) -> Any:
        return backward(kind)(torch.zeros(grad, dtype=dtype, device=device), size, shape, False)

    cases: list[Any] = [
        ([2, 3, 5, 6], [5, 6], [2, 3, 9, 0], torch.float),
        ([2, 3, 5, 6], [5, 6], [2, 9, 8], torch.float),
        ([2, 3, 5, 6], [5], [2, 3, 9, 8], torch.float),
        ([3, 5, 6], [5, 6], [2, 3, 9, 8], torch.float),
        ([2, 3, 5, 7], [5, 6], [2, 3, 9, 8], torch.float),
        ([2, 4, 5, 6], [5, 6], [2, 3, 9, 8], torch.float),
        ([2, 3, 5, 6], [5, 6], [2, 3, 9, 8], torch.uint8),
        ([2, 3, 5, 6], [5, 6], [2, 3, 9, 8], torch.long),
        ([2, 3, 5, 6], [5, 6], [2, 3, 9, 8], torch.complex64),
        ([0, 3, 5, 6], [5, 6], [0, 3, 9, 8], torch.int32),
    ]
    if kind == "lanczos":
        cases.append(([2, 3, 5, 6], [5, 6], [2, 3, 9, 8], torch.half))
    for case in cases:
        assert error_of(lambda c=case: call("mps", *c)) == error_of(lambda c=case: call("cpu", *c)), case


@pytest.mark.parametrize("kind", FILTERS)
def test_training_through_interpolate(kind: str) -> None:
    x = torch.randn(2, 3, 12, 10, requires_grad=True)
    y = x.detach().to("mps").requires_grad_()
    for leaf in (x, y):
        small = torch.nn.functional.interpolate(leaf, scale_factor=(0.5, 0.7), mode=kind, antialias=True)
        large = torch.nn.functional.interpolate(small, size=(19, 14), mode=kind, antialias=True)
        large.square().sum().backward()
    torch.testing.assert_close(y.grad.cpu(), x.grad)
