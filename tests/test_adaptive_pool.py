"""Adaptive pooling beyond PyTorch's OpInfo samples: every ratio of sizes, large windows, 64-bit indices,
NaN and ties, result layouts, out=, and calls that reach the private overloads directly."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

import mpsops

aten = torch.ops.aten

# (input sizes after the batch, output_size): shrinking, growing, mixed, equal, prime, one.
SHAPES_2D = [
    ((3, 7, 9), (5, 4)),
    ((2, 5, 4), (8, 11)),
    ((5, 6, 13), (13, 6)),
    ((1, 8, 8), (8, 8)),
    ((9, 17, 1), (3, 5)),
    ((2, 31, 23), (1, 1)),
    ((6, 40, 37), (3, 2)),
]
SHAPES_3D = [
    ((3, 5, 6, 7), (2, 4, 3)),
    ((2, 2, 3, 4), (5, 2, 9)),
    ((5, 4, 11, 3), (4, 7, 1)),
    ((2, 9, 10, 11), (2, 1, 2)),
]
ALL_SHAPES = SHAPES_2D + SHAPES_3D

LAYOUTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "contiguous": lambda t: t,
    "channels_last": lambda t: t.contiguous(
        memory_format=torch.channels_last if t.dim() == 4 else torch.channels_last_3d
    ),
    "transposed": lambda t: t.transpose(-1, -2).contiguous().transpose(-1, -2),
    "batch_inside": lambda t: t.transpose(0, 1).contiguous().transpose(0, 1),
    "every_second": lambda t: t.repeat_interleave(2, dim=-1)[..., ::2],
    "offset": lambda t: torch.cat([t[:1], t])[1:],
}


def on_mps(tensor: torch.Tensor) -> torch.Tensor:
    """The same values and strides on the device."""
    storage = torch.empty(0, dtype=tensor.dtype).set_(tensor.untyped_storage()).to("mps")
    return storage.as_strided(tensor.size(), tensor.stride(), tensor.storage_offset())


def forward(kind: str, dims: int) -> Any:
    if (kind, dims) == ("max", 2) and "aten::adaptive_max_pool2d" not in {row.name for row in mpsops.ops()}:
        pytest.skip("the running torch pools right by itself")
    if kind == "max":
        return aten.adaptive_max_pool2d if dims == 2 else aten.adaptive_max_pool3d
    return aten._adaptive_avg_pool2d if dims == 2 else aten._adaptive_avg_pool3d


def backward(kind: str, dims: int) -> Any:
    if kind == "max":
        return aten.adaptive_max_pool2d_backward if dims == 2 else aten.adaptive_max_pool3d_backward
    return aten._adaptive_avg_pool2d_backward if dims == 2 else aten._adaptive_avg_pool3d_backward


def as_tuple(value: Any) -> tuple[torch.Tensor, ...]:
    return value if isinstance(value, tuple) else (value,)


def dispatches() -> int:
    return sum(row.dispatches for row in mpsops.ops())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["avg", "max"])
@pytest.mark.parametrize(("sizes", "output_size"), ALL_SHAPES, ids=str)
def test_every_ratio_and_layout(
    kind: str, sizes: tuple[int, ...], output_size: tuple[int, ...], layout: str
) -> None:
    dims = len(output_size)
    x = LAYOUTS[layout](torch.randn(2, *sizes))
    expected = as_tuple(forward(kind, dims)(x.double(), output_size))
    same_layout = as_tuple(forward(kind, dims)(x, output_size))
    actual = as_tuple(forward(kind, dims)(on_mps(x), output_size))
    for ours, reference, cpu in zip(actual, expected, same_layout, strict=True):
        torch.testing.assert_close(ours.cpu(), reference.to(cpu.dtype))
        assert ours.stride() == cpu.stride()

    grad = LAYOUTS[layout](torch.randn(expected[0].shape))
    indices = expected[1:]
    reference = backward(kind, dims)(grad.double(), x.double(), *indices)
    cpu = backward(kind, dims)(grad, x, *indices)
    before = dispatches()
    ours = backward(kind, dims)(on_mps(grad), on_mps(x), *(on_mps(i) for i in indices))
    assert dispatches() - before == 1
    torch.testing.assert_close(ours.cpu(), reference.float())
    assert ours.stride() == cpu.stride()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", ["avg", "max"])
@pytest.mark.parametrize(("sizes", "output_size"), ALL_SHAPES, ids=str)
def test_half_precision(
    kind: str, sizes: tuple[int, ...], output_size: tuple[int, ...], dtype: torch.dtype
) -> None:
    dims = len(output_size)
    x = torch.randn(2, *sizes).to(dtype)
    expected = as_tuple(forward(kind, dims)(x.double(), output_size))
    actual = as_tuple(forward(kind, dims)(x.to("mps"), output_size))
    for ours, reference in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours.cpu(), reference.to(ours.dtype))
    grad = torch.randn(expected[0].shape).to(dtype)
    reference = backward(kind, dims)(grad.double(), x.double(), *expected[1:])
    ours = backward(kind, dims)(grad.to("mps"), x.to("mps"), *(i.to("mps") for i in expected[1:]))
    torch.testing.assert_close(ours.cpu(), reference.to(dtype))


@pytest.mark.parametrize("kind", ["avg", "max"])
@pytest.mark.parametrize("channels_last", [False, True])
def test_indices_beyond_32_bits(kind: str, channels_last: bool) -> None:
    """The product of the two widths exceeds 2^31, so the kernels count in 64 bits."""
    x = torch.randn(1, 2, 1, 46500)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    size = [1, 46400]
    expected = as_tuple(forward(kind, 2)(x, size))
    for ours, reference in zip(as_tuple(forward(kind, 2)(on_mps(x), size)), expected, strict=True):
        torch.testing.assert_close(ours.cpu(), reference)
    grad = torch.randn(1, 2, 1, 46400)
    reference = backward(kind, 2)(grad, x, *expected[1:])
    ours = backward(kind, 2)(grad.to("mps"), on_mps(x), *(on_mps(i) for i in expected[1:]))
    torch.testing.assert_close(ours.cpu(), reference)


def far_apart(values: torch.Tensor, strides: tuple[int, ...]) -> torch.Tensor:
    """The values on the device, at strides that may span many GiB. The simulator's memory is lazy."""
    span = 1 + sum((size - 1) * stride for size, stride in zip(values.shape, strides, strict=True))
    return torch.empty(span, dtype=values.dtype, device="mps").as_strided(values.shape, strides).copy_(values)


@pytest.mark.skipif(mpsops._C.runtime != "sim", reason="takes more memory than most Macs have")
@pytest.mark.parametrize("kind", ["avg", "max"])
@pytest.mark.parametrize("sizes", [(7, 5), (20, 20)], ids=["threads", "simdgroups"])
def test_offsets_beyond_32_bits(kind: str, sizes: tuple[int, int]) -> None:
    far = 2**31 + 9
    x = torch.randn(1, 2, *sizes).half()
    far_x = far_apart(x, (far, far, sizes[1], 1))
    expected = as_tuple(forward(kind, 2)(x.double(), [2, 2]))
    for ours, reference in zip(as_tuple(forward(kind, 2)(far_x, [2, 2])), expected, strict=True):
        torch.testing.assert_close(ours.cpu(), reference.to(ours.dtype))
    row = x[:, :1, :1, :3]
    far_row = far_apart(row, (1, 1, 1, 2**30 + 7))
    for ours, reference in zip(
        as_tuple(forward(kind, 2)(far_row, [1, 2])),
        as_tuple(forward(kind, 2)(row.double(), [1, 2])),
        strict=True,
    ):
        torch.testing.assert_close(ours.cpu(), reference.to(ours.dtype))
    grad = torch.randn(1, 2, 2, 2).half()
    ours = backward(kind, 2)(
        far_apart(grad, (far, far, 2, 1)), x.to("mps"), *(i.to("mps") for i in expected[1:])
    )
    reference = backward(kind, 2)(grad.double(), x.double(), *expected[1:])
    torch.testing.assert_close(ours.cpu(), reference.half())


@pytest.mark.parametrize("kind", ["avg", "max"])
def test_more_than_the_grid_holds(kind: str) -> None:
    """Above 65535 along y or z of the grid, threads stride."""
    many_channels = torch.randn(1, 4 * 65535 + 30, 1, 2)
    many_sites = torch.randn(1, 2, 270, 250).contiguous(memory_format=torch.channels_last)
    many_batches = torch.randn(65600, 2, 1, 2).contiguous(memory_format=torch.channels_last)
    for x, size in ((many_channels, [1, 1]), (many_sites, [263, 255]), (many_batches, [1, 1])):
        expected = as_tuple(forward(kind, 2)(x, size))
        for ours, reference in zip(as_tuple(forward(kind, 2)(on_mps(x), size)), expected, strict=True):
            torch.testing.assert_close(ours.cpu(), reference)
        grad = torch.randn(expected[0].shape)
        ours = backward(kind, 2)(grad.to("mps"), on_mps(x), *(on_mps(i) for i in expected[1:]))
        torch.testing.assert_close(ours.cpu(), backward(kind, 2)(grad, x, *expected[1:]))


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("window", [(2, 3), (9, 10), (1, 90)])
def test_max_of_nan_ties_and_infinities(window: tuple[int, int], channels_last: bool) -> None:
    """The last NaN of a window counts, else the first of equal values, zeros of both signs included."""
    values = torch.tensor([float("nan"), 0.0, -0.0, 1.0, 1.0, float("inf"), -float("inf")])
    picks = torch.randint(1, len(values), (2, 3, 2 * window[0], 2 * window[1]))
    picks[torch.rand(picks.shape) < 0.02] = 0
    x = values[picks]
    x[0, 0] = -float("inf")
    x[1, 1] = torch.where(torch.rand(x[1, 1].shape) < 0.5, 0.0, -0.0)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    for ours, expected in zip(
        aten.adaptive_max_pool2d(on_mps(x), [2, 2]), aten.adaptive_max_pool2d(x, [2, 2]), strict=True
    ):
        torch.testing.assert_close(ours.cpu(), expected, rtol=0, atol=0, equal_nan=True)
        assert torch.equal(ours.cpu().signbit(), expected.signbit())


@pytest.mark.parametrize(("kind", "dims"), [("avg", 2), ("max", 2), ("avg", 3), ("max", 3)])
def test_dispatches(kind: str, dims: int) -> None:
    for batch, count in ((2, 1), (0, 0)):
        x = torch.randn(batch, 3, *[7] * dims, device="mps")
        before = dispatches()
        outputs = as_tuple(forward(kind, dims)(x, [4] * dims))
        assert dispatches() - before == count
        grad_input = backward(kind, dims)(outputs[0], x, *outputs[1:])
        assert dispatches() - before == 2 * count
        assert grad_input.shape == x.shape
    x = torch.randn(2, 3, *[7] * dims, device="mps")
    before = dispatches()
    assert as_tuple(forward(kind, dims)(x, [4] * (dims - 1) + [0]))[0].numel() == 0
    assert dispatches() == before


@pytest.mark.op("aten::adaptive_avg_pool2d.out", "aten::adaptive_avg_pool3d.out")
@pytest.mark.parametrize("dims", [2, 3])
def test_avg_out(dims: int) -> None:
    op = aten.adaptive_avg_pool2d.out if dims == 2 else aten.adaptive_avg_pool3d.out
    x = torch.randn(2, 3, *[7] * dims)
    size = [4] * dims
    expected = forward("avg", dims)(x, size)
    for shape in ((0,), expected.shape, (5,)):
        out = torch.empty(shape, device="mps")
        assert op(x.to("mps"), size, out=out) is out
        torch.testing.assert_close(out.cpu(), expected)
    # Three dimensions keep the strides of `out`, two lay it out anew, as on the CPU.
    wide = torch.zeros(*expected.shape, 2, device="mps")
    op(x.to("mps"), size, out=wide[..., 1])
    if dims == 3:
        torch.testing.assert_close(wide[..., 1].cpu(), expected)
        assert not wide[..., 0].any()
    with pytest.raises(RuntimeError, match="expected dtype float for `output` but got dtype"):
        op(x.to("mps"), size, out=torch.empty(0, dtype=torch.half, device="mps"))


@pytest.mark.op("aten::adaptive_max_pool2d.out", "aten::adaptive_max_pool3d.out")
@pytest.mark.parametrize("dims", [2, 3])
def test_max_out(dims: int, capfd: pytest.CaptureFixture[str]) -> None:
    op = aten.adaptive_max_pool2d.out if dims == 2 else aten.adaptive_max_pool3d.out
    x = torch.randn(2, 3, *[7] * dims)
    size = [4] * dims
    expected = forward("max", dims)(x, size)
    shape = expected[0].shape
    strided = torch.empty((*shape, 2), device="mps")[..., 0]
    for out in (torch.empty(0, device="mps"), torch.empty(shape, device="mps"), strided):
        indices = torch.empty_like(out, dtype=torch.long)
        op(x.to("mps"), size, out=out, indices=indices)
        torch.testing.assert_close(out.cpu(), expected[0])
        assert torch.equal(indices.cpu(), expected[1])
    op(x.to("mps"), size, out=torch.empty(5, device="mps"), indices=indices)
    assert "An output with one or more elements was resized" in capfd.readouterr().err
    for dtypes in ((torch.half, torch.long), (torch.float, torch.int)):
        with pytest.raises(RuntimeError, match="Expected out tensor to have dtype"):
            op(
                x.to("mps"),
                size,
                out=torch.empty(0, dtype=dtypes[0], device="mps"),
                indices=torch.empty(0, dtype=dtypes[1], device="mps"),
            )


@pytest.mark.op(
    "aten::adaptive_avg_pool3d_backward.grad_input",
    "aten::adaptive_max_pool2d_backward.grad_input",
    "aten::adaptive_max_pool3d_backward.grad_input",
)
@pytest.mark.parametrize(("kind", "dims"), [("avg", 3), ("max", 2), ("max", 3)])
def test_grad_input_out(kind: str, dims: int) -> None:
    op = getattr(aten, f"adaptive_{kind}_pool{dims}d_backward").grad_input
    x = torch.randn(2, 3, *[7] * dims)
    outputs = as_tuple(forward(kind, dims)(x, [4] * dims))
    grad = torch.randn(outputs[0].shape)
    expected = backward(kind, dims)(grad, x, *outputs[1:])
    arguments = [t.to("mps") for t in (grad, x, *outputs[1:])]
    strided = torch.empty((*x.shape, 2), device="mps")[..., 0]
    for grad_input in (torch.empty(0, device="mps"), torch.full(x.shape, 9.0, device="mps"), strided):
        op(*arguments, grad_input=grad_input)
        torch.testing.assert_close(grad_input.cpu(), expected)


@pytest.mark.parametrize("dims", [2, 3])
def test_max_backward_ignores_indices_outside_the_window(dims: int) -> None:
    """They would be written out of bounds on the CPU."""
    x = torch.randn(1, 1, *[4] * dims, device="mps")
    grad = torch.ones(1, 1, *[2] * dims, device="mps")
    indices = torch.full(grad.shape, 4**dims + 5, device="mps")
    assert not backward("max", dims)(grad, x, indices).any()
    assert not backward("max", dims)(grad, x, torch.full_like(indices, -1)).any()


@pytest.mark.parametrize(("kind", "dims"), [("avg", 2), ("max", 2), ("avg", 3), ("max", 3)])
def test_backward_checks_batch_and_channels(kind: str, dims: int) -> None:
    """The CPU kernels read out of bounds here."""
    x = torch.randn(2, 3, *[4] * dims, device="mps")
    for planes in ((2, 4), (1, 3)):
        grad = torch.ones(*planes, *[2] * dims, device="mps")
        indices = [torch.zeros_like(grad, dtype=torch.long)] if kind == "max" else []
        with pytest.raises(RuntimeError, match="grad_output must be of sizes"):
            backward(kind, dims)(grad, x, *indices)


def error_of(call: Callable[[], Any]) -> tuple[type, str]:
    with pytest.raises((RuntimeError, NotImplementedError)) as raised:
        call()
    return type(raised.value), str(raised.value).partition("\n")[0]


@pytest.mark.parametrize(("kind", "dims"), [("avg", 2), ("max", 2), ("avg", 3), ("max", 3)])
def test_bad_input_raises_as_on_the_cpu(kind: str, dims: int) -> None:
    spatial, size = [4, 5, 6][:dims], [2] * dims

    def forward_on(device: str, shape: list[int], output_size: list[int], **options: Any) -> Any:
        return forward(kind, dims)(torch.zeros(shape, device=device, **options), output_size)

    def backward_on(device: str, grad: list[int], shape: list[int], **options: Any) -> Any:
        grad_output = torch.zeros(grad, device=device)
        indices = [torch.zeros(grad, dtype=torch.long, device=device)] if kind == "max" else []
        return backward(kind, dims)(grad_output, torch.zeros(shape, device=device, **options), *indices)

    shapes = [spatial[1:], [], [2, 3, 3, *spatial], [2, 3, 0, *spatial[1:]], [3, *spatial[:-1], 0]]
    calls: list[Callable[[str], Any]] = [lambda d, s=s: forward_on(d, s, size) for s in shapes]
    for output_size in ([], [2], [2] * (dims + 1)):
        calls.append(lambda d, s=output_size: forward_on(d, [2, 3, *spatial], s))
    for dtype in (torch.int64, torch.uint8, torch.bool, torch.complex64):
        calls.append(lambda d, t=dtype: forward_on(d, [2, 3, *spatial], size, dtype=t))
    calls += [
        lambda d: backward_on(d, [3, *size], [2, 3, *spatial]),
        lambda d: backward_on(d, [2, 3, *size], [3, *spatial]),
        lambda d: backward_on(d, [2, 3, *[0] * dims], [2, 3, *spatial]),
        lambda d: backward_on(d, [2, 3, *size], [2, 3, *spatial], dtype=torch.half),
    ]
    for number, call in enumerate(calls):
        assert error_of(lambda c=call: c("mps")) == error_of(lambda c=call: c("cpu")), number


@pytest.mark.parametrize("dims", [2, 3])
def test_max_backward_checks_indices_as_on_the_cpu(dims: int) -> None:
    def call(device: str, sizes: list[int], dtype: torch.dtype) -> Any:
        x = torch.zeros(2, 3, *[4] * dims, device=device)
        grad = torch.zeros(2, 3, *[2] * dims, device=device)
        return backward("max", dims)(grad, x, torch.zeros(sizes, dtype=dtype, device=device))

    for sizes, dtype in (([2, 3, *[1] * dims], torch.long), ([2, 3, *[2] * dims], torch.int)):
        on_mps, on_cpu = (error_of(lambda d=d, s=sizes, t=dtype: call(d, s, t)) for d in ("mps", "cpu"))
        assert on_mps == on_cpu


def test_programs_that_stock_mps_cannot_run() -> None:
    x = torch.randn(2, 3, 7, 10, requires_grad=True)
    y = x.detach().to("mps").requires_grad_()
    results = []
    for leaf in (x, y):
        area = torch.nn.functional.interpolate(leaf, size=(5, 13), mode="area")
        pooled = torch.nn.functional.adaptive_avg_pool1d(leaf.flatten(1, 2), 4)
        largest = torch.nn.functional.adaptive_max_pool2d(leaf, (9, 3))
        (area.square().sum() + pooled.square().sum() + largest.square().sum()).backward()
        results.append((area.detach().cpu(), pooled.detach().cpu(), largest.detach().cpu(), leaf.grad.cpu()))
    for expected, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected)
