"""embedding(max_norm=): rows named many times, special values, layouts, what raises."""

import math

import pytest
import torch
from torch.nn import functional

import mpsops

NORMS = [2.0, 1.0, 0.0, math.inf, -math.inf, 3.0, 0.5]


def renormed(table: torch.Tensor, indices: torch.Tensor, max_norm: float, p: float = 2.0) -> torch.Tensor:
    return torch.embedding_renorm_(table.clone().to("mps"), indices.to("mps"), max_norm, p).cpu()


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("columns", [1, 3, 33, 257, 8200])
def test_norms_of_rows_of_all_lengths(p: float, columns: int) -> None:
    table = torch.randn(4, columns).mul(3).masked_fill_(torch.rand(4, columns) < 0.1, 0.0)
    table[2] /= 1000
    norms = torch.linalg.vector_norm(table.double(), p, dim=1)
    max_norm = float(norms.sort().values[1:3].mean())
    found = renormed(table, torch.tensor([0, 2, 1, 2]), max_norm, p)
    scale = torch.where(norms > max_norm, max_norm / (norms + 1e-7), 1.0)
    scale[3] = 1.0
    torch.testing.assert_close(found, (table * scale[:, None]).float(), rtol=3e-6, atol=0)
    assert torch.equal(found[3], table[3])


def test_a_row_is_scaled_once_however_often_it_is_named() -> None:
    """Scaling does not change a norm of 0: a second time would show."""
    table = torch.rand(37, 6) + 1
    indices = torch.randint(0, 30, (5000,))
    found = renormed(table, indices, 3.0, 0.0)
    expected = table.clone()
    expected[indices.unique()] *= 3.0 / 6.0
    torch.testing.assert_close(found, expected)
    assert torch.equal(found[30:], table[30:])


@pytest.mark.skipif(mpsops._C.runtime != "sim", reason="only the simulator can choose the schedule")
def test_the_order_of_threads_does_not_show() -> None:
    from mpsops import simulator

    table, indices = torch.randn(20, 100), torch.randint(0, 20, (300,))
    results = []
    for schedule in ("forward", "reverse", "random:1"):
        with simulator.schedule(schedule):
            results.append(renormed(table, indices, 0.5))
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.complex64], ids=str)
def test_special_values_as_on_the_cpu(p: float, dtype: torch.dtype) -> None:
    inf, nan = math.inf, math.nan
    rows = [[nan, 9.0], [inf, 1.0], [-inf, -inf], [0.0, -0.0], [3e4, 3e4], [1e-7, 0.0], [-4.0, 3.0]]
    table = torch.tensor(rows).to(dtype)
    indices = torch.arange(len(rows))
    for max_norm in (0.0, 1.0, 1e6):
        expected = torch.embedding_renorm_(table.clone(), indices, max_norm, p)
        torch.testing.assert_close(renormed(table, indices, max_norm, p), expected, equal_nan=True)


def test_max_norm_is_compared_as_a_double() -> None:
    """The float nearest to 0.1 is above 0.1; that nearest to 0.3 is above 0.3, 0.7's is below."""
    for max_norm in (0.1, 0.3, 0.7, 0.6):
        table = torch.tensor([[max_norm]])
        expected = torch.embedding_renorm_(table.clone(), torch.tensor([0]), max_norm, 1.0)
        assert torch.equal(renormed(table, torch.tensor([0]), max_norm, 1.0), expected)


def test_scales_as_the_cpu_to_the_last_bit() -> None:
    """Where the norm is the same: here that of one element."""
    table = torch.rand(1000, 1) * 5
    indices = torch.arange(1000)
    expected = torch.embedding_renorm_(table.clone(), indices, 0.123456789, 1.0)
    assert torch.equal(renormed(table, indices, 0.123456789, 1.0), expected)


@pytest.mark.parametrize("layout", ["transposed", "columns", "offset"])
def test_tables_that_are_not_contiguous(layout: str) -> None:
    base = torch.randn(12, 14, device="mps")
    before = base.cpu()
    view = {"transposed": base.t(), "columns": base[:, ::2], "offset": base[3:, 2:]}[layout]
    on_cpu = view.cpu()
    indices = torch.tensor([[1, 4], [4, 0]])
    torch.embedding_renorm_(view, indices.t().to("mps"), 0.5, 2.0)
    torch.testing.assert_close(view.cpu(), torch.embedding_renorm_(on_cpu, indices, 0.5, 2.0))
    untouched = base.cpu() == before
    assert untouched.sum() == base.numel() - 3 * view.shape[1]


@pytest.mark.filterwarnings("error")
def test_embedding_and_embedding_bag_train() -> None:
    indices = torch.tensor([[1, 2, 4], [4, 3, 2]])
    for kind in (torch.nn.Embedding, torch.nn.EmbeddingBag):
        torch.manual_seed(0)
        on_cpu = kind(10, 3, max_norm=0.7)
        on_mps = kind(10, 3, max_norm=0.7)
        on_mps.load_state_dict(on_cpu.state_dict())
        on_mps.to("mps")
        for module, device in ((on_cpu, "cpu"), (on_mps, "mps")):
            optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
            for _ in range(3):
                optimizer.zero_grad()
                module(indices.to(device)).square().sum().neg().backward()
                optimizer.step()
        torch.testing.assert_close(on_mps.weight.cpu(), on_cpu.weight)


def test_a_bad_index_raises_and_is_not_used() -> None:
    table = torch.ones(5, 3, device="mps")
    with pytest.raises(IndexError, match="index 8 out of range for tensor of size"):
        functional.embedding(torch.tensor([1, 8, 4], device="mps"), table, max_norm=0.5)
    assert table.cpu()[[0, 2, 3]].eq(1).all()
    good = torch.tensor([1, 4], device="mps")
    for _ in range(2):
        torch.embedding_renorm_(table, good, 0.5, 2.0)
    good[0] = 5
    with pytest.raises(IndexError, match="index 5 out of range"):
        torch.embedding_renorm_(table, good, 0.5, 2.0)


def test_indices_of_another_dtype() -> None:
    with pytest.raises(RuntimeError, match="one of the following scalar types: Long, Int"):
        torch.embedding_renorm_(torch.ones(5, 3, device="mps"), torch.ones(2, device="mps"), 0.5, 2.0)


@pytest.mark.skipif(mpsops._C.runtime != "sim", reason="takes more memory than most Macs have")
def test_offsets_beyond_32_bits() -> None:
    far = 2**31 + 9
    table = torch.empty(far + 4, dtype=torch.float16, device="mps").as_strided((2, 4), (far, 1))
    table.fill_(2.0)
    torch.embedding_renorm_(table, torch.tensor([1], device="mps"), 1.0, 1.0)
    assert table.tolist() == [[2.0] * 4, [0.25] * 4]
