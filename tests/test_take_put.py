"""torch.take and put_: what PyTorch's samples leave out. Repeated indices, order, special values, errors."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

import mpsops
import op_cases as oc

FLOATS = [torch.float32, torch.float16, torch.bfloat16, torch.complex64]
INTEGERS = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]


@pytest.fixture(autouse=True)
def _in_order() -> Iterator[None]:
    """With several threads, the CPU kernel itself has no order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def values(dtype: torch.dtype, *size: int) -> torch.Tensor:
    if dtype.is_floating_point or dtype.is_complex:
        return torch.randn(size, dtype=torch.promote_types(dtype, torch.float32)).to(dtype)
    return torch.randint(-100, 100, size).to(dtype)


def put(x: torch.Tensor, index: torch.Tensor, source: torch.Tensor, accumulate: bool = False) -> torch.Tensor:
    on_mps = torch.empty(0, dtype=x.dtype).set_(x.untyped_storage()).to("mps")
    result = on_mps.as_strided(x.size(), x.stride(), x.storage_offset())
    result.put_(index.to("mps"), source.to("mps"), accumulate)
    return result.cpu()


# Of self, of index, and what indices there are: few and many repetitions, an index being its slot and not.
SIZES = [(50, 30, 50), (50, 4000, 50), (90_000, 3000, 90_000), (90_000, 3000, 5), (7, 500, 1)]


@pytest.mark.parametrize("dtype", FLOATS + INTEGERS, ids=str)
@pytest.mark.parametrize(("elements", "count", "high"), SIZES)
def test_the_last_wins(dtype: torch.dtype, elements: int, count: int, high: int) -> None:
    x, source = values(dtype, elements), values(dtype, count)
    index = torch.randint(-high, high, (count,))
    assert torch.equal(put(x, index, source), x.clone().put_(index, source))


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize(("elements", "count", "high"), SIZES)
def test_sums_of_integers_are_exact(dtype: torch.dtype, elements: int, count: int, high: int) -> None:
    x, source = values(dtype, elements), values(dtype, count)
    if dtype is torch.int64:
        source = torch.randint(-(1 << 62), 1 << 62, (count,))  # carries, and overflow
    index = torch.randint(-high, high, (count,))
    assert torch.equal(put(x, index, source, True), x.clone().put_(index, source, True))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize(("elements", "count", "high"), SIZES)
def test_sums_of_floats_are_rounded_once(dtype: torch.dtype, elements: int, count: int, high: int) -> None:
    x, source = values(dtype, elements), values(dtype, count)
    index = torch.randint(-high, high, (count,))
    actual = put(x, index, source, True)
    wide = torch.complex128 if dtype.is_complex else torch.float64
    exact = x.to(wide).put_(index, source.to(wide), True)
    largest = x.abs().to(torch.float64).put_(index, source.abs().double(), True)
    error = (actual.to(wide) - exact).abs()
    # 2^-40 of the largest addend for each, then half a unit in the last place.
    bound = torch.finfo(dtype).eps * exact.abs() + 2**-40 * count * largest
    assert (error <= bound).all(), (error - bound).max()


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_order_of_addends_does_not_matter(dtype: torch.dtype) -> None:
    x, source = values(dtype, 40), values(dtype, 3000) * 1000
    index = torch.randint(-40, 40, (3000,))
    first = put(x, index, source, True)
    for _ in range(3):
        order = torch.randperm(3000)
        assert torch.equal(put(x, index[order], source[order], True), first)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_distinct_indices_are_plain_additions(dtype: torch.dtype) -> None:
    above_a_tie = 2**-24 * (1 + 2**-23)
    special = torch.tensor(
        [0.0, -0.0, torch.inf, -torch.inf, torch.nan, 1e-40, 3e38, -3e38, 1.0, above_a_tie]
    )
    x = torch.cat([special.repeat_interleave(10), torch.randn(1000) * 10 ** torch.randn(1000)]).to(dtype)
    source = torch.cat([special.repeat(10), torch.randn(1000) * 10 ** torch.randn(1000)]).to(dtype)
    index = torch.randperm(len(x))
    actual, expected = put(x, index, source[index], True), x.clone().put_(index, source[index], True)
    bits = {2: torch.int16, 4: torch.int32, 8: torch.int64}[dtype.itemsize]
    same = actual.view(bits) == expected.view(bits)
    assert (same | (actual.isnan() & expected.isnan())).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    ("start", "addends"),
    [
        (-0.0, [-0.0, -0.0]),
        (-0.0, [0.0, -0.0]),
        (0.0, [-0.0, -0.0]),
        (1.0, [-3.0, 2.0]),
        (-1.0, [3.0, -2.0]),
        (0.0, [torch.inf, 1.0, torch.inf]),
        (0.0, [-torch.inf, 1.0]),
        (-torch.inf, [1.0, torch.inf]),
        (torch.nan, [1.0, 2.0]),
        (1.0, [torch.inf, torch.nan]),
        (0.0, [6e-8, 6e-8, 6e-8]),
        (0.0, [1e-45, 3e-45, -1e-45]),
        (0.0, [3e-39, 1.2e-38, -1e-39]),
        (1.0, [1e-30, 1e-30]),
        (3e38, [3e38, 3e38]),
        (-3e38, [-3e38, -1e38]),
        (6e4, [6e4, 6e4]),
        (1.0, [2**-24, 2**-24]),
        (1.0, [2**-24, 2**-40]),
        (1.0, [2**-12, 2**-13]),
    ],
)
def test_special_sums(dtype: torch.dtype, start: float, addends: list[float]) -> None:
    source = torch.tensor(addends).to(dtype)
    x = torch.tensor([7.0, start]).to(dtype)
    actual = put(x, torch.ones(len(addends), dtype=torch.int64), source, True)[1]
    exact = x[1].double()
    for value in source.double():
        exact = exact + value
    expected = exact.float().to(dtype)
    torch.testing.assert_close(actual, expected, rtol=0, atol=0, equal_nan=True)
    assert actual.isnan() or actual.signbit() == expected.signbit()


@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64, torch.int64, torch.int8], ids=str)
def test_strides(dtype: torch.dtype, accumulate: bool) -> None:
    room = values(dtype, 6, 7, 8)
    x = room.permute(2, 0, 1)[1:7, ::2, 2:]
    index = torch.randint(-x.numel(), x.numel(), (9, 10)).t()[:, 1:]
    source = values(dtype, 8, 10)
    expected = torch.empty(0, dtype=dtype).set_(room.untyped_storage().clone())
    expected = expected.as_strided(x.size(), x.stride(), x.storage_offset())
    expected.put_(index, source, accumulate)
    torch.testing.assert_close(put(x, index, source, accumulate), expected)
    out = torch.empty(20, 8, dtype=dtype, device="mps")[::2]
    on_mps = room.to("mps").permute(2, 0, 1)[1:7, ::2, 2:]
    torch.take(on_mps, index.to("mps"), out=out)
    assert torch.equal(out.cpu(), torch.take(x, index))


def test_many_elements_per_thread() -> None:
    x, index = torch.randn(1000), torch.randint(-1000, 1000, (1 << 18,))
    for indices in (index, index[:-5], index[:-5].view(-1, 1).expand(-1, 2)):
        assert torch.equal(torch.take(x.to("mps"), indices.to("mps")).cpu(), torch.take(x, indices))


@pytest.mark.skipif(mpsops._C.runtime != "sim", reason="takes more memory than most Macs have")
def test_offsets_beyond_32_bits() -> None:
    elements = (1 << 32) + 5
    x = torch.empty(elements, dtype=torch.int8, device="mps")
    x[-3:] = torch.tensor([1, 2, 3], dtype=torch.int8)
    index = torch.tensor([elements - 3, -1, 1 << 32, -2], device="mps")
    source = torch.tensor([5, 6, 7, 8], dtype=torch.int8, device="mps")
    x[1 << 32] = 9
    assert torch.take(x, index).tolist() == [1, 3, 9, 2]
    x.put_(index, source)
    x.put_(index, source, accumulate=True)
    assert torch.take(x, index).tolist() == [10, 12, 14, 16]


def test_more_indices_than_are_put_at_once() -> None:
    count = (1 << 22) + 3
    index = torch.arange(count, device="mps") % 5
    source = torch.ones(count, dtype=torch.int8, device="mps")
    source[-1] = 9
    x = torch.zeros(5, dtype=torch.int8, device="mps")
    assert x.clone().put_(index, source).tolist() == [1, 9, 1, 1, 1]
    total = torch.bincount(index, source.float(), 5) % 256
    result = x.clone().put_(index, source, accumulate=True)
    assert (result.long() % 256).tolist() == total.tolist()


def test_deterministic_algorithms_are_what_there_is() -> None:
    torch.use_deterministic_algorithms(True)
    try:
        x = torch.zeros(2, device="mps")
        index = torch.tensor([1, 1, 1], device="mps")
        assert x.put_(index, torch.tensor([1.0, 2.0, 3.0], device="mps")).tolist() == [0, 3]
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("accumulate", [False, True])
def test_one_wait_for_an_index(accumulate: bool) -> None:
    x = torch.randn(10, device="mps", requires_grad=True)
    source = torch.randn(4, device="mps", requires_grad=True)
    index = torch.tensor([3, 3, -1, 9], device="mps")
    taken: list[torch.Tensor] = []
    assert oc.waits(lambda: taken.append(torch.take(x, index))) == 1
    assert oc.waits(lambda: taken[0].sum().backward()) == 0
    assert oc.waits(lambda: taken.append(torch.put(x, index, source, accumulate))) == 0
    assert oc.waits(lambda: taken[1].sum().backward()) == 0
    # Fewer elements, and new values in the same tensor, are checked again.
    with pytest.raises(IndexError, match="access index 9 on a tensor of 9 elements"):
        torch.take(x[1:], index)
    index[1] = -11
    with pytest.raises(IndexError, match="access index -11 on a tensor of 10 elements"):
        torch.put(x, index, source, accumulate)


ERRORS: dict[str, Callable[[str], Any]] = {
    "take outside": lambda d: torch.take(
        torch.ones(2, 3, device=d), torch.tensor([[5, 6], [-7, 0]], device=d)
    ),
    "take below": lambda d: torch.take(torch.ones(2, 3, device=d), torch.tensor(-7, device=d)),
    "take from nothing": lambda d: torch.take(torch.ones(0, device=d), torch.tensor([0], device=d)),
    "take by int32": lambda d: torch.take(
        torch.ones(2, device=d), torch.tensor([0], dtype=torch.int32, device=d)
    ),
    "take to another dtype": lambda d: torch.take(
        torch.ones(2, device=d), torch.tensor([0], device=d), out=torch.ones(1, dtype=torch.int64, device=d)
    ),
    "take of uint16": lambda d: torch.take(
        torch.ones(2, dtype=torch.uint16, device=d), torch.tensor([0], device=d)
    ),
    "put outside": lambda d: torch.ones(6, device=d).put_(
        torch.tensor([0, 6, 7], device=d), torch.ones(3, device=d)
    ),
    "put and add outside": lambda d: torch.ones(6, device=d).put_(
        torch.tensor([0, -7, 7], device=d), torch.ones(3, device=d), accumulate=True
    ),
    "put and add integers outside": lambda d: torch.ones(6, dtype=torch.int64, device=d).put_(
        torch.tensor([0, 99], device=d), torch.ones(2, dtype=torch.int64, device=d), accumulate=True
    ),
    "put into nothing": lambda d: torch.ones(0, device=d).put_(
        torch.tensor([0], device=d), torch.ones(1, device=d)
    ),
    "put too few": lambda d: torch.ones(6, device=d).put_(
        torch.tensor([0, 1], device=d), torch.ones(3, device=d)
    ),
    "put another dtype": lambda d: torch.ones(6, device=d).put_(
        torch.tensor([0], device=d), torch.ones(1, dtype=torch.int64, device=d)
    ),
    "put by float": lambda d: torch.ones(6, device=d).put_(
        torch.tensor([0.0], device=d), torch.ones(1, device=d)
    ),
    "put into uint16": lambda d: torch.ones(6, dtype=torch.uint16, device=d).put_(
        torch.tensor([0], device=d), torch.ones(1, dtype=torch.uint16, device=d)
    ),
    "put into expanded": lambda d: (
        torch.ones(1, device=d).expand(6).put_(torch.tensor([0], device=d), torch.ones(1, device=d))
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_as_on_the_cpu(name: str) -> None:
    texts = []
    for device in ("cpu", "mps"):
        with pytest.raises((RuntimeError, IndexError)) as error:
            ERRORS[name](device)
        texts.append((type(error.value), str(error.value)))
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("dtype", "accumulate", "dispatches"),
    [(torch.float32, False, 2), (torch.int32, True, 2), (torch.float32, True, 3)],
)
def test_dispatches(dtype: torch.dtype, accumulate: bool, dispatches: int) -> None:
    x, source = torch.ones(9, dtype=dtype, device="mps"), torch.ones(5, dtype=dtype, device="mps")
    mpsops.reset_counts()
    x.put_(torch.arange(5, device="mps"), source, accumulate)
    (row,) = (row for row in mpsops.ops() if row.name == "aten::put_")
    assert (row.calls, row.dispatches) == (1, dispatches)
