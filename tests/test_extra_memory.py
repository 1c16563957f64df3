"""What an op allocates besides its results: counted by the allocator, proportional to the output."""

import gc
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

import mpsops
from mpsops._harness import op_calls

# Small results round up to whole blocks, and an op may keep a constant amount of scratch.
CONSTANT = 64 * 1024
# Ops that fill a table before they can begin with the result, and the argument that is as large.
TABLES = {"aten::_ctc_loss_backward": "log_alpha"}


def extra_bytes(function: Callable[[], Any]) -> tuple[int, int]:
    """Bytes allocated at the peak of a call beyond those of its results, and those of the results."""
    function()  # what is made once for the process does not count
    torch.accelerator.reset_peak_memory_stats()
    before = torch.accelerator.memory_allocated()
    results = function()
    peak = torch.accelerator.max_memory_allocated()
    kept = torch.accelerator.memory_allocated() - before
    assert kept >= sum(t.numel() * t.itemsize for t in op_calls.tensors(results))
    return peak - before - kept, kept


@pytest.fixture(autouse=True)
def _nothing_older_is_freed() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("name", sorted({name for row in mpsops.ops() for name in row.opinfo}))
def test_samples(name: str) -> None:
    mpsops.reset_counts()
    calls = op_calls.record(op_calls.samples(name))
    # What only torch calls, inside of other ops, is not recorded: those families measure themselves.
    assert calls or any(row.calls for row in mpsops.ops() if name in row.opinfo)
    for func, args, kwargs in itertools.chain.from_iterable(calls.values()):
        if func._schema.is_mutable:  # writes into what it was given
            continue
        with torch.no_grad():
            extra, results = extra_bytes(lambda f=func, a=args, k=kwargs: f(*a, **k))
        names = [argument.name for argument in func._schema.arguments]
        table = args[names.index(TABLES[func._schema.name])].nbytes if func._schema.name in TABLES else 0
        assert extra <= results + table + CONSTANT, f"{func}: {extra} bytes besides {results} of results"


def test_pdist_builds_no_rows_by_rows_buffer() -> None:
    rows, features = 1024, 4
    x = torch.rand(rows, features, device="mps")
    distances = torch.pdist(x)
    grad = torch.ones_like(distances)
    extra, _ = extra_bytes(lambda: torch.ops.aten._pdist_forward(x, 2.0))
    assert extra <= CONSTANT
    extra, _ = extra_bytes(lambda: torch.ops.aten._pdist_backward(grad, x, 2.0, distances))
    assert extra <= CONSTANT < rows * rows


@pytest.mark.parametrize("distinct", [3, 1 << 30], ids=["few_values", "many_values"])
def test_mode_of_a_long_row_needs_no_copy_of_it(distinct: int) -> None:
    x = torch.randint(distinct, (1, 1 << 14), device="mps")
    extra, _ = extra_bytes(lambda: torch.mode(x))
    assert extra <= CONSTANT < x.numel() * x.itemsize


# Bytes for each element of index.
PUTS = [
    (torch.float32, False, 20),
    (torch.int8, True, 28),
    (torch.float32, True, 36),
    (torch.complex64, True, 52),
]


@pytest.mark.parametrize(("dtype", "accumulate", "scratch"), PUTS)
def test_put_takes_memory_for_the_index_alone(dtype: torch.dtype, accumulate: bool, scratch: int) -> None:
    count = (1 << 18) + 1
    x = torch.zeros(1 << 24, dtype=dtype, device="mps")
    index = torch.randint(x.numel(), (count,), device="mps")
    source = torch.ones(count, dtype=dtype, device="mps")
    torch.accelerator.reset_peak_memory_stats()
    before = torch.accelerator.memory_allocated()
    x.put_(index, source, accumulate)
    extra = torch.accelerator.max_memory_allocated() - before
    # The allocator rounds up, by up to a quarter.
    assert extra <= 1.25 * scratch * count + CONSTANT < x.numel() * x.itemsize
