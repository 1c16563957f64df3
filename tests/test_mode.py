"""torch.mode: what PyTorch's samples leave out. Rows of every length class, ties, NaN, shared rows."""

import pytest
import torch

import mpsops

DTYPES = [
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
]
# Around a thread, a simdgroup, the longest sorted row and one hash table of the counting kernel.
LENGTHS = [1, 2, 3, 17, 31, 32, 33, 64, 65, 127, 129, 255, 513, 1024, 2047, 2048, 2049, 5000]


def expected_mode(row: torch.Tensor) -> tuple[torch.Tensor, int]:
    """The most frequent value, the smallest of those that tie, and its last index; NaN equals nothing."""
    numbers = row[~row.isnan()] if row.is_floating_point() else row
    if numbers.numel() == 0:
        return row[0], 0
    values, counts = numbers.unique(return_counts=True)
    mode = values[counts == counts.max()].min()
    last = int((row == mode).nonzero().max())
    return row[last], last


def assert_modes(rows: torch.Tensor) -> None:
    values, indices = torch.mode(rows.to("mps"), -1)
    for number, row in enumerate(rows):
        value, index = expected_mode(row)
        assert indices[number].item() == index, f"row {number}"
        torch.testing.assert_close(values[number].cpu(), value, rtol=0, atol=0, equal_nan=True)


def random_rows(count: int, length: int, dtype: torch.dtype, distinct: int) -> torch.Tensor:
    if dtype is torch.bool:
        return torch.rand(count, length) < 0.5
    low = 0 if dtype is torch.uint8 else -(distinct // 2)
    rows = torch.randint(low, low + distinct, (count, length))
    return (rows / 4).to(dtype) if dtype.is_floating_point else rows.to(dtype)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_lengths(length: int, dtype: torch.dtype) -> None:
    assert_modes(random_rows(3, length, dtype, 100))


@pytest.mark.parametrize("length", [16, 300, 3000])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_values_as_on_the_cpu(length: int, dtype: torch.dtype) -> None:
    rows = random_rows(4, length, dtype, 7)
    values, indices = torch.mode(rows.to("mps"), 1)
    on_cpu = torch.mode(rows, 1)
    assert torch.equal(values.cpu(), on_cpu.values)
    assert torch.equal(rows.gather(1, indices.cpu()[:, None])[:, 0], on_cpu.values)
    if length <= 16:
        assert torch.equal(indices.cpu(), on_cpu.indices)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8], ids=str)
@pytest.mark.parametrize("length", [10, 2500])
def test_extremes_are_values_like_others(dtype: torch.dtype, length: int) -> None:
    """Padding and free slots must not be taken for the largest and smallest integers."""
    info = torch.iinfo(dtype)
    rows = torch.tensor([info.min, info.max, 1], dtype=dtype).repeat_interleave(length // 3 + 1)[:length]
    assert_modes(torch.stack([rows, rows.flip(0), torch.full_like(rows, info.max)]))


def test_halves_of_int64_are_both_compared() -> None:
    high = torch.arange(1500).repeat(2) << 32
    low = torch.arange(3000) % 1000
    assert_modes(torch.stack([high, low, high + low, low - high]))


@pytest.mark.parametrize("length", [9, 100, 2500])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_nan_counts_once_and_loses(length: int, dtype: torch.dtype) -> None:
    rows = torch.full((4, length), torch.nan, dtype=dtype)
    rows[1, 5] = torch.inf
    rows[2, ::2] = -1.5
    rows[3, 3:6] = torch.tensor([2.0, 1.0, 2.0])
    assert_modes(rows)


@pytest.mark.parametrize("length", [8, 2100])
def test_zeros_of_both_signs_are_one_value(length: int) -> None:
    rows = torch.ones(2, length)
    rows[:, 1 : length // 2 + 3] = 0.0
    rows[0, 2] = -0.0
    rows[1, length // 2 + 2] = -0.0
    values, indices = torch.mode(rows.to("mps"))
    assert indices.tolist() == [length // 2 + 2] * 2
    assert values.signbit().tolist() == [False, True]


def test_infinities_are_numbers() -> None:
    row = torch.tensor([torch.inf, -torch.inf, 1.0, torch.inf, -torch.inf])
    values, indices = torch.mode(row.to("mps"))
    assert (values.item(), indices.item()) == (-torch.inf, 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64], ids=str)
@pytest.mark.parametrize("rows", [1, 3, 130])
def test_more_values_than_one_table_holds(rows: int, dtype: torch.dtype) -> None:
    """Few rows are shared by several threadgroups, many are not; both must split into parts."""
    length = 9000 if rows < 100 else 2600
    shuffled = torch.stack([torch.randperm(length) for _ in range(min(rows, 3))])
    some = shuffled.repeat(-(-rows // len(shuffled)), 1)[:rows].to(dtype)
    some[:, 7] = some[:, 4]
    assert_modes(some[:3])
    values, indices = torch.mode(some.to("mps"))
    assert torch.equal(values.cpu(), some[:, 4])
    assert indices.eq(7).all()


def test_all_distinct_gives_the_smallest() -> None:
    row = torch.randperm(20000).to(torch.float32) - 10000
    values, indices = torch.mode(row.to("mps"))
    assert values.item() == -10000
    assert indices.item() == row.argmin().item()


@pytest.mark.parametrize("dim", [0, 1, 2, -1])
@pytest.mark.parametrize("keepdim", [False, True])
def test_any_dim_of_any_layout(dim: int, keepdim: bool) -> None:
    base = torch.randint(0, 3, (4, 6, 10))
    for layout in (base, base.transpose(0, 2), base[::2, 1:, ::3], base[:, :1].expand(4, 7, 10)):
        on_mps = base.to("mps").as_strided(layout.size(), layout.stride(), layout.storage_offset())
        expected = torch.mode(layout, dim, keepdim)
        found = torch.mode(on_mps, dim, keepdim)
        for actual, wanted in zip(found, expected, strict=True):
            assert torch.equal(actual.cpu(), wanted)


def test_out_may_be_strided() -> None:
    x = torch.randint(0, 3, (5, 8))
    values = torch.zeros(5, 2, dtype=torch.int64, device="mps")[:, 1]
    indices = torch.zeros(10, dtype=torch.int64, device="mps")[::2]
    torch.mode(x.to("mps"), out=(values, indices))
    expected = torch.mode(x)
    assert torch.equal(values.cpu(), expected.values)
    assert torch.equal(indices.cpu(), expected.indices)


def test_gradient_goes_to_the_index() -> None:
    x = torch.tensor([[1.0, 2.0, 2.0], [3.0, 3.0, 1.0]], device="mps", requires_grad=True)
    (torch.mode(x).values * torch.tensor([2.0, 5.0], device="mps")).sum().backward()
    assert x.grad.tolist() == [[0.0, 0.0, 2.0], [0.0, 5.0, 0.0]]


@pytest.mark.parametrize(
    ("shape", "dim"), [((0,), 0), ((3, 0), 1), ((3, 0), -1), ((3,), 1), ((), 1), ((3,), -2)]
)
def test_bad_dims_raise_as_on_the_cpu(shape: tuple[int, ...], dim: int) -> None:
    x = torch.empty(shape)
    with pytest.raises(IndexError) as on_cpu:
        torch.mode(x, dim)
    with pytest.raises(IndexError) as on_mps:
        torch.mode(x.to("mps"), dim)
    assert str(on_mps.value) == str(on_cpu.value)


def test_empty_and_scalar() -> None:
    values, indices = torch.mode(torch.empty(0, 3, device="mps"), 1, keepdim=True)
    assert values.shape == indices.shape == (0, 1)
    values, indices = torch.mode(torch.tensor(4.0, device="mps"), 0)
    assert (values.item(), indices.item(), values.dim(), indices.dim()) == (4.0, 0, 0, 0)


def test_bad_outputs_raise_as_on_the_cpu() -> None:
    def message(device: str, values: torch.dtype, indices: torch.dtype) -> str:
        outputs = (torch.empty(0, dtype=values, device=device), torch.empty(0, dtype=indices, device=device))
        with pytest.raises(RuntimeError) as error:
            torch.mode(torch.ones(3, 4, device=device), out=outputs)
        return str(error.value)

    for values, indices in ((torch.int8, torch.int64), (torch.float32, torch.int32)):
        assert message("mps", values, indices) == message("cpu", values, indices)


@pytest.mark.parametrize(("shape", "dispatches"), [((5, 7), 1), ((2048,), 1), ((3000,), 2), ((130, 2100), 1)])
def test_dispatches(shape: tuple[int, ...], dispatches: int) -> None:
    x = torch.zeros(shape, device="mps")
    mpsops.reset_counts()
    torch.mode(x)
    row = next(row for row in mpsops.ops() if row.name == "aten::mode")
    assert (row.calls, row.dispatches) == (1, dispatches)


@pytest.mark.skipif(mpsops._C.runtime != "sim", reason="takes more memory than most Macs have")
@pytest.mark.parametrize("length", [5, 3000])
def test_offsets_beyond_32_bits(length: int) -> None:
    """Between rows, and between the elements of a row."""
    far = 2**31 + 9
    x = torch.randint(0, 50, (2, length), dtype=torch.int8)
    expected = torch.stack([expected_mode(row)[0] for row in x])
    far_rows = torch.empty(far + length, dtype=torch.int8, device="mps").as_strided((2, length), (far, 1))
    assert torch.equal(torch.mode(far_rows.copy_(x)).values.cpu(), expected)
    step = far // length + 1
    spread = torch.empty(step * length + 2, dtype=torch.int8, device="mps").as_strided((2, length), (1, step))
    assert torch.equal(torch.mode(spread.copy_(x)).values.cpu(), expected)
