"""torch.segment_reduce: what PyTorch's samples leave out. Long segments, NaN, ties, zeros, bad lengths."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

import mpsops
import op_cases as oc

REDUCTIONS = ["max", "mean", "min", "sum", "prod"]


def both(data: torch.Tensor, reduce: str, cotangent: torch.Tensor | None = None, **kwargs: Any) -> None:
    """Result and gradient are the CPU's, and as near to float64 as the CPU's of the same dtype."""
    results = []
    for values in (data.to("mps"), data, data.double()):
        x = values.detach().requires_grad_()
        moved = {k: v.to(x.device) if isinstance(v, torch.Tensor) else v for k, v in kwargs.items()}
        out = torch.segment_reduce(x, reduce, **moved)
        grad = torch.ones_like(out) if cotangent is None else cotangent.to(out)
        out.backward(grad.expand_as(out))
        results.append([out.detach(), x.grad])
    for what, *each in zip(("result", "gradient"), *results, strict=True):
        oc.assert_matches(*each, what)


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("columns", [(), (3,), (40,)])
@pytest.mark.parametrize("lengths", [[700, 0, 1, 299], [0, 0, 1000], [250] * 4, [1000]])
def test_long_segments(reduce: str, columns: tuple[int, ...], lengths: list[int]) -> None:
    data = torch.rand(1000, *columns) + 0.5 if reduce == "prod" else torch.randn(1000, *columns)
    data = data.clamp(0.99, 1.01) if reduce == "prod" else data
    cotangent = torch.randn(len(lengths), *columns)
    both(data, reduce, cotangent, lengths=torch.tensor(lengths))
    both(data, reduce, cotangent, offsets=torch.tensor([0, *lengths]).cumsum(0), unsafe=True)


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("initial", [None, 0, 2.5, -3.0, torch.nan, torch.inf])
@pytest.mark.parametrize("length", [2, 40])
def test_empty_segments_initial_and_nan(reduce: str, initial: float | None, length: int) -> None:
    data = torch.randn(4 * length)
    data[1] = torch.nan
    data[length + 1] = 0.0
    data[2 * length :: 2] = 0.0
    lengths = torch.tensor([0, length, length, 0, length, length])
    both(data, reduce, lengths=lengths, initial=initial)


@pytest.mark.parametrize("reduce", ["max", "min"])
@pytest.mark.parametrize("length", [5, 50])
def test_ties_share_positive_gradients_only(reduce: str, length: int) -> None:
    data = torch.ones(3 * length)
    data[::3] = 2.0
    data[length] = torch.nan
    cotangent = torch.tensor([6.0, -6.0, torch.nan])
    both(data, reduce, cotangent, lengths=torch.full((3,), length))


@pytest.mark.parametrize("length", [4, 60])
@pytest.mark.parametrize(
    "special",
    [
        [],
        [0.0],
        [0.0, 0.0],
        [0.0, torch.nan],
        [torch.nan, torch.nan],
        [0.0, torch.inf],
        [0.0, 0.0, -torch.inf],
        [torch.inf, torch.nan],
    ],
)
def test_gradient_of_products_with_zeros(length: int, special: list[float]) -> None:
    data = torch.rand(2 * length) + 0.5
    data[1 : 1 + len(special)] = torch.tensor(special)
    for initial in (None, 0.5, 0.0):
        both(data, "prod", lengths=torch.tensor([length, length]), initial=initial)


@pytest.mark.parametrize("index", [torch.int32, torch.int64])
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_index_dtypes_and_strides(index: torch.dtype, reduce: str) -> None:
    data = torch.rand(6, 5, 3, 4).transpose(0, 2)[:, :, 1:5]
    lengths = torch.tensor([[2, 9, 3], [0, 9, 5], [4, 9, 1]], dtype=index)[:, ::2]
    both(data, reduce, lengths=lengths, axis=1)
    offsets = torch.tensor([[0, 2, 2, 5], [0, 0, 0, 5], [0, 4, 5, 5]], dtype=index)
    both(data, reduce, offsets=offsets, axis=1)


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_elements_of_no_segment(reduce: str) -> None:
    both(torch.rand(20), reduce, offsets=torch.tensor([3, 5, 5, 11]))
    both(torch.rand(20), reduce, lengths=torch.tensor([3, 5]), unsafe=True)


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("shape", [(0,), (0, 3), (5, 0)])
def test_no_elements(reduce: str, shape: tuple[int, ...]) -> None:
    lengths = torch.tensor([0, shape[0], 0])
    both(torch.empty(shape), reduce, lengths=lengths)
    both(torch.empty(shape), reduce, lengths=lengths[:0], unsafe=True)


def test_many_segments() -> None:
    """More lengths than threads that add them up, and sums above 32 bits are not needed to overflow."""
    lengths = torch.randint(0, 4, (3, 3000))
    lengths[:, -1] += lengths.sum(1).max() - lengths.sum(1)
    data = torch.randn(3, int(lengths[0].sum()))
    for index in (torch.int32, torch.int64):
        both(data, "sum", lengths=lengths.to(index), axis=1)


ERRORS: dict[str, Callable[[Callable[..., torch.Tensor], torch.Tensor], Any]] = {
    "negative": lambda t, x: torch.segment_reduce(x, "sum", lengths=t(-1, 6)),
    "negative in a row": lambda t, x: torch.segment_reduce(
        x.expand(2, 5), "sum", lengths=t(2, 3, 6, -1).view(2, 2), axis=1
    ),
    "wrong sum": lambda t, x: torch.segment_reduce(x, "sum", lengths=t(1, 2)),
    "wrong sum in a row": lambda t, x: torch.segment_reduce(
        x.expand(2, 5), "max", lengths=t(2, 3, 2, 2).view(2, 2), axis=1
    ),
    "wrong sum without columns": lambda t, x: torch.segment_reduce(x[:, None][:, :0], "max", lengths=t(2, 2)),
    "no lengths": lambda t, x: torch.segment_reduce(x, "sum", lengths=t(1)[:0]),
    "nothing given": lambda t, x: torch.segment_reduce(x, "sum"),
    "indices": lambda t, x: torch.segment_reduce(x, "sum", indices=t(1, 2)),
    "reduction": lambda t, x: torch.segment_reduce(x, "median", lengths=t(5)),
    "dtype of lengths": lambda t, x: torch.segment_reduce(x, "sum", lengths=t(5).float()),
    "dtype of offsets": lambda t, x: torch.segment_reduce(x, "sum", offsets=t(0, 5).short()),
    "dtype of data": lambda t, x: torch.segment_reduce(x.int(), "sum", lengths=t(5)),
    "axis": lambda t, x: torch.segment_reduce(x, "sum", lengths=t(5), axis=1),
    "axis of lengths": lambda t, x: torch.segment_reduce(x[None], "sum", lengths=t(5), axis=1),
    "axis of offsets": lambda t, x: torch.segment_reduce(x[None], "sum", offsets=t(0, 5), axis=1),
    "dims of lengths": lambda t, x: torch.segment_reduce(x, "sum", lengths=t(5)[None]),
    "dims of offsets": lambda t, x: torch.segment_reduce(x, "sum", offsets=t(0, 5)[None]),
    "decreasing offsets": lambda t, x: torch.segment_reduce(x, "sum", offsets=t(0, 3, 2)),
    "no offsets": lambda t, x: torch.segment_reduce(x, "sum", offsets=t(0)[:0]),
    "initial": lambda t, x: torch.segment_reduce(x.half(), "sum", lengths=t(5), initial=1e6),
    "backward without lengths": lambda t, x: torch.ops.aten._segment_reduce_backward(x, x, x, "sum"),
    "backward with float offsets": lambda t, x: torch.ops.aten._segment_reduce_backward(
        x[:1], x[:1], x, "sum", offsets=t(0, 5).float()
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_as_on_the_cpu(name: str) -> None:
    texts = []
    for device in ("cpu", "mps"):
        x = torch.arange(5.0, device=device)
        with pytest.raises((RuntimeError, IndexError)) as error:
            ERRORS[name](lambda *values, on=device: torch.tensor(values, device=on), x)
        texts.append((type(error.value), str(error.value)))
    assert texts[0] == texts[1]


def test_what_the_cpu_reads_beyond_is_refused() -> None:
    x = torch.arange(5.0, device="mps")
    with pytest.raises(RuntimeError, match=r"offsets must be in \[0, 5\]"):
        torch.segment_reduce(x, "sum", offsets=torch.tensor([0, 6], device="mps"))
    with pytest.raises(RuntimeError, match="lengths must have at least 3 rows, got 2"):
        torch.segment_reduce(x.expand(3, 5), "sum", lengths=torch.tensor([[5], [5]], device="mps"), axis=1)
    with pytest.raises(RuntimeError, match="grad and output must have 1 elements, got 2"):
        torch.ops.aten._segment_reduce_backward(
            x[:2], x[:1], x, "sum", lengths=torch.tensor([5], device="mps")
        )


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize(
    "bad", [{"lengths": [3, 9]}, {"lengths": [-4, 9]}, {"offsets": [-7, 3, 99]}, {"offsets": [4, 1, 1 << 40]}]
)
def test_unsafe_stays_inside(reduce: str, bad: dict[str, list[int]]) -> None:
    """Wrong results are the caller's choice; memory beyond the buffers is not read or written."""
    kwargs = {name: torch.tensor(values, device="mps") for name, values in bad.items()}
    x = torch.rand(5, device="mps", requires_grad=True)
    out = torch.segment_reduce(x, reduce, unsafe=True, **kwargs)
    out.sum().backward()
    assert out.shape == (2,)
    assert x.grad.shape == (5,)


@pytest.mark.parametrize(("kind", "dispatches"), [("lengths", 2), ("offsets", 1)])
def test_dispatches(kind: str, dispatches: int) -> None:
    bounds = torch.tensor([5] if kind == "lengths" else [0, 5], device="mps")
    x = torch.rand(5, device="mps", requires_grad=True)
    mpsops.reset_counts()
    torch.segment_reduce(x, "max", **{kind: bounds}).sum().backward()
    for row in mpsops.ops():
        if row.family == "segment_reduce":
            assert (row.calls, row.dispatches) == (1, dispatches), row.name


@pytest.mark.skipif(mpsops._C.runtime != "sim", reason="takes more memory than most Macs have")
@pytest.mark.parametrize("length", [5, 100])
def test_offsets_beyond_32_bits(length: int) -> None:
    """Between rows, and between the elements of a segment; a thread or a threadgroup per output."""
    far = 2**31 + 9
    x = torch.randint(-8, 8, (2, length)).half()
    step = far // length + 1
    for shape, strides in (((2, length), (far, 1)), ((2, length), (1, step))):
        span = 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        data = torch.empty(span, dtype=torch.half, device="mps").as_strided(shape, strides).copy_(x)
        lengths = torch.full((2, 1), length, device="mps")
        out = torch.segment_reduce(data, "sum", lengths=lengths, axis=1)
        assert torch.equal(out.cpu(), x.sum(1, keepdim=True))
        grad = torch.ops.aten._segment_reduce_backward(
            torch.ones_like(out), out, data, "prod", lengths=lengths, axis=1
        )
        assert grad.shape == shape
