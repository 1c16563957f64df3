"""Fractional max pooling beyond its OpInfo samples: windows where floats decide, any random samples, NaN and
ties, large windows, 64-bit offsets, grad_input=, and what the CPU kernels take for granted."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

import mpsops

aten = torch.ops.aten
DTYPES = [torch.float32, torch.float16, torch.bfloat16]


def forward(dims: int) -> Any:
    return getattr(aten, f"fractional_max_pool{dims}d")


def backward(dims: int) -> Any:
    return getattr(aten, f"fractional_max_pool{dims}d_backward")


def on_mps(*arguments: Any) -> list[Any]:
    return [a.to("mps") if isinstance(a, torch.Tensor) else a for a in arguments]


def assert_equal(ours: Any, expected: Any) -> None:
    for found, value in zip(ours, expected, strict=True):
        torch.testing.assert_close(found.cpu(), value, rtol=0, atol=0, equal_nan=True)
        assert found.stride() == value.stride()


def random_sizes(dims: int) -> tuple[list[int], list[int], list[int]]:
    """Input, kernel and output sizes that fit."""
    kernel = torch.randint(1, 5, (dims,)).tolist()
    output = torch.randint(1, 24 if dims == 2 else 7, (dims,)).tolist()
    room = torch.randint(0, 30 if dims == 2 else 6, (dims,)).tolist()
    return [k + o + r for k, o, r in zip(kernel, output, room, strict=True)], kernel, output


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dims", [2, 3])
def test_windows_are_the_cpus_bit_for_bit(dims: int, dtype: torch.dtype) -> None:
    """Values are positions, so that another window gives another value. Gradients add in one order."""
    for _ in range(20):
        size, kernel, output = random_sizes(dims)
        x = torch.randn(2, 3, *size).to(dtype)
        samples = torch.rand(2, 3, dims).to(dtype)
        arguments = (x, kernel, output, samples)
        expected = forward(dims)(*arguments)
        assert_equal(forward(dims)(*on_mps(*arguments)), expected)
        grad = torch.randint(-8, 9, expected[0].shape).to(dtype)
        arguments = (grad, x, kernel, output, expected[1])
        assert_equal([backward(dims)(*on_mps(*arguments))], [backward(dims)(*arguments)])


@pytest.mark.parametrize("dtype", DTYPES)
def test_starts_next_to_integers(dtype: torch.dtype) -> None:
    """Increasing rows show each window's start as its index; samples are where a start steps."""
    near = torch.tensor([0.0, 0.5, 1.0 / 3.0, 2.0 / 3.0, 0.999999, 0.1, 0.2, 0.7]).to(dtype)
    samples = torch.stack([near, near.flip(0)], dim=-1)[None]
    for width, output in ((100, 67), (91, 31), (64, 63), (97, 13), (255, 101)):
        x = -torch.arange(width, dtype=torch.float).expand(1, len(near), 3, width).to(dtype)
        arguments = (x, [1, 1], [2, output], samples)
        assert_equal(forward(2)(*on_mps(*arguments)), forward(2)(*arguments))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dims", [2, 3])
def test_samples_outside_of_0_to_1(dims: int, dtype: torch.dtype) -> None:
    """Negative and large ones move windows as on the CPU, and no gradient is lost."""
    for samples in (-torch.rand(2, 3, dims), 9 * torch.randn(2, 3, dims)):
        for _ in range(3):
            size, kernel, output = random_sizes(dims)
            x = torch.randn(2, 3, *size).to(dtype)
            arguments = (x, kernel, output, samples.to(dtype))
            expected = forward(dims)(*arguments)
            assert_equal(forward(dims)(*on_mps(*arguments)), expected)
            arguments = (torch.ones_like(expected[0]), x, kernel, output, expected[1])
            assert_equal([backward(dims)(*on_mps(*arguments))], [backward(dims)(*arguments)])


def test_samples_that_are_no_numbers() -> None:
    x = torch.randn(2, 3, 13, 17)
    arguments = (x, [2, 3], [7, 6], torch.full((2, 3, 2), float("nan")))
    assert_equal(forward(2)(*on_mps(*arguments)), forward(2)(*arguments))


@pytest.mark.parametrize("kernel", [(0, 2), (-1, 3)])
def test_empty_windows(kernel: tuple[int, int]) -> None:
    """The CPU kernel takes them: no maximum, and the index of their start."""
    arguments = (torch.randn(2, 3, 9, 9), kernel, [4, 4], torch.rand(2, 3, 2))
    assert_equal(forward(2)(*on_mps(*arguments)), forward(2)(*arguments))


def test_huge_samples_stay_within_the_input() -> None:
    """Where the CPU's windows leave the input, it says that this is a bug in PyTorch."""
    x = torch.randn(1, 2, 20, 20, device="mps")
    for sample in (1e8, -1e8, 1e30, float("inf")):
        _, indices = forward(2)(x, [2, 2], [7, 7], torch.full((1, 2, 2), sample, device="mps"))
        assert bool(((indices >= 0) & (indices < 400)).all())


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("kernel", [(2, 3), (9, 10), (1, 70)])
def test_nan_ties_and_infinities(kernel: tuple[int, int], channels_last: bool) -> None:
    """The last NaN of a window counts, else the first of equal values, zeros of both signs included."""
    values = torch.tensor([float("nan"), 0.0, -0.0, 1.0, 1.0, float("inf"), -float("inf")])
    picks = torch.randint(1, len(values), (2, 3, 12, 75))
    picks[torch.rand(picks.shape) < 0.02] = 0
    x = values[picks]
    x[0, 0] = -float("inf")
    x[1, 1] = torch.where(torch.rand(x[1, 1].shape) < 0.5, 0.0, -0.0)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    arguments = (x, kernel, [3, 4], torch.rand(2, 3, 2))
    expected = forward(2)(*arguments)
    ours = forward(2)(*on_mps(*arguments))
    assert_equal(ours, expected)
    assert torch.equal(ours[0].cpu().signbit(), expected[0].signbit())


def test_a_position_that_many_windows_share() -> None:
    """Overlapping windows: the gradients of all add up, in the same order in every run."""
    x = torch.zeros(1, 2, 12, 12)
    x[..., 5, 6] = 1.0
    samples = torch.rand(1, 2, 2)
    arguments = (x, [5, 5], [8, 8], samples)
    output, indices = forward(2)(*arguments)
    grad = torch.randn(output.shape)
    arguments = (grad, x, [5, 5], [8, 8], indices)
    ours = backward(2)(*on_mps(*arguments))
    torch.testing.assert_close(ours.cpu(), backward(2)(*arguments))
    assert (indices == 5 * 12 + 6).sum() > 20
    for _ in range(3):
        assert torch.equal(backward(2)(*on_mps(*arguments)), ours)


@pytest.mark.parametrize("dims", [2, 3])
def test_functional_and_module(dims: int) -> None:
    """torch draws the samples on the device; the graph runs there, and the seed decides."""
    module = getattr(torch.nn, f"FractionalMaxPool{dims}d")(2, output_ratio=0.6, return_indices=True)
    x = torch.randn(2, 3, *[9] * dims, device="mps", requires_grad=True)
    torch.manual_seed(3)
    output, indices = module(x)
    torch.manual_seed(3)
    assert torch.equal(module(x)[1], indices)
    assert torch.equal(x.flatten(2).gather(2, indices.flatten(2)).view_as(output), output)
    output.sum().backward()
    counts = torch.zeros(2, 3, 9**dims).scatter_add_(
        2, indices.flatten(2).cpu(), torch.ones(2, 3, indices[0, 0].numel())
    )
    assert torch.equal(x.grad.cpu().flatten(2), counts)


def test_more_than_the_grid_holds() -> None:
    """Above 65535 along y or z of the grid, threads stride."""
    many_channels = torch.randn(1, 4 * 65535 + 30, 2, 2)
    many_batches = torch.randn(65600, 2, 2, 2).contiguous(memory_format=torch.channels_last)
    for x in (many_channels, many_batches):
        arguments = (x, [1, 2], [2, 1], torch.rand(*x.shape[:2], 2))
        expected = forward(2)(*arguments)
        assert_equal(forward(2)(*on_mps(*arguments)), expected)
        arguments = (expected[0], x, [1, 2], [2, 1], expected[1])
        assert_equal([backward(2)(*on_mps(*arguments))], [backward(2)(*arguments)])


@pytest.mark.skipif(mpsops._C.runtime != "sim", reason="takes more memory than most Macs have")
@pytest.mark.parametrize("kernel", [(2, 3), (9, 9)], ids=["threads", "simdgroups"])
def test_offsets_beyond_32_bits(kernel: tuple[int, int]) -> None:
    far = 2**31 + 9

    def far_apart(values: torch.Tensor) -> torch.Tensor:
        strides = (far, far, values.shape[3], 1)
        span = far + values.shape[2] * values.shape[3]
        memory = torch.empty(span, dtype=values.dtype, device="mps")
        return memory.as_strided(values.shape, strides).copy_(values)

    x = torch.randn(1, 2, 14, 15).half()
    samples = torch.rand(1, 2, 2).half()
    expected = forward(2)(x, kernel, [4, 5], samples)
    ours = forward(2)(far_apart(x), kernel, [4, 5], samples.to("mps"))
    assert_equal(ours, expected)
    grad = torch.randn(expected[0].shape).half()
    grad_input = backward(2)(far_apart(grad), x.to("mps"), kernel, [4, 5], ours[1])
    reference = backward(2)(grad.double(), x.double(), kernel, [4, 5], expected[1])
    torch.testing.assert_close(grad_input.cpu(), reference.half())


@pytest.mark.op(
    "aten::fractional_max_pool2d_backward.grad_input", "aten::fractional_max_pool3d_backward.grad_input"
)
@pytest.mark.parametrize("dims", [2, 3])
def test_grad_input_out(dims: int) -> None:
    x = torch.randn(2, 3, *[7] * dims)
    kernel, size = [2] * dims, [4] * dims
    output, indices = forward(dims)(x, kernel, size, torch.rand(2, 3, dims))
    arguments = (torch.randn(output.shape), x, kernel, size, indices)
    expected = backward(dims)(*arguments)
    op = backward(dims).grad_input
    strided = torch.empty((*x.shape, 2), device="mps")[..., 0]
    for grad_input in (torch.empty(0, device="mps"), torch.full(x.shape, 9.0, device="mps"), strided):
        assert op(*on_mps(*arguments), grad_input=grad_input) is grad_input
        torch.testing.assert_close(grad_input.cpu(), expected)


@pytest.mark.parametrize("dims", [2, 3])
def test_empty(dims: int) -> None:
    x = torch.randn(2, 3, *[6] * dims, device="mps")
    kernel = [2] * dims
    samples = torch.rand(2, 3, dims, device="mps")
    _, indices = forward(dims)(x, kernel, [0] * dims, samples)
    grad = torch.empty(2, 3, *[0] * dims, device="mps")
    assert not backward(dims)(grad, x, kernel, [0] * dims, indices).any()
    grad = torch.empty(0, 3, *[2] * dims, device="mps")
    assert backward(dims)(grad, x[:0], kernel, [2] * dims, grad.long()).shape == x[:0].shape


@pytest.mark.parametrize("dims", [2, 3])
def test_backward_ignores_indices_that_no_window_gives(dims: int) -> None:
    """They would be written out of bounds."""
    x = torch.randn(1, 1, *[8] * dims, device="mps")
    grad = torch.ones(1, 1, *[3] * dims, device="mps")
    for index in (8**dims + 5, -1):
        indices = torch.full(grad.shape, index, device="mps")
        assert not backward(dims)(grad, x, [2] * dims, [3] * dims, indices).any()


def error_of(call: Callable[[], Any]) -> tuple[type, str]:
    with pytest.raises((RuntimeError, NotImplementedError)) as raised:
        call()
    return type(raised.value), str(raised.value).partition("\n")[0]


@pytest.mark.parametrize("dims", [2, 3])
def test_backward_raises_as_on_the_cpu(dims: int) -> None:
    def call(device: str, size: list[int], grad: list[int], **options: Any) -> Any:
        indices = torch.zeros(
            options.pop("indices", grad), dtype=options.pop("index", torch.long), device=device
        )
        x = torch.zeros([2, 3, *[8] * dims], device=device, dtype=options.pop("input", torch.float))
        grad_output = torch.zeros(grad, device=device, dtype=options.pop("dtype", torch.float))
        return backward(dims)(grad_output, x, [2] * dims, size, indices)

    size, grad = [3] * dims, [2, 3, *[3] * dims]
    calls: list[Callable[[str], Any]] = [
        lambda d: call(d, [*size[:-1], 4], grad),
        lambda d: call(d, [4, *size[1:]], grad),
        lambda d: call(d, size, grad, dtype=torch.half),
        lambda d: call(d, size, grad, index=torch.int),
        lambda d: call(d, size, grad, dtype=torch.int, input=torch.int),
    ]
    if dims == 2:
        calls += [
            lambda d: call(d, size, [2, 4, 3, 3]),
            lambda d: call(d, size, [3, 3, 3]),
            lambda d: call(d, size, grad, indices=[2, 3, 2, 3]),
        ]
    for number, each in enumerate(calls):
        assert error_of(lambda c=each: c("mps")) == error_of(lambda c=each: c("cpu")), number


def test_backward_checks_sizes_in_three_dimensions() -> None:
    """The CPU kernel reads out of bounds here."""
    x = torch.zeros(2, 3, 8, 8, 8, device="mps")
    size = [2, 2, 2]
    for grad, indices, text in (
        ((2, 4, 2, 2, 2), (2, 4, 2, 2, 2), "grad_output must be of sizes"),
        ((2, 3, 2, 2, 2), (2, 3, 2, 2, 1), "indices must be of sizes"),
    ):
        with pytest.raises(RuntimeError, match=text):
            backward(3)(
                torch.zeros(grad, device="mps"), x, size, size, torch.zeros(indices, device="mps").long()
            )
