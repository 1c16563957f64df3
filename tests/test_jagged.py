"""Nested tensors of the jagged layout, padded and back, and what the two ops do with bad offsets."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

import mpsops
import op_cases as oc

to_padded = torch.ops.aten._jagged_to_padded_dense_forward
to_jagged = torch.ops.aten._padded_dense_to_jagged_forward


def nested(device: str, row: tuple[int, ...] = (4,)) -> torch.Tensor:
    torch.manual_seed(0)
    parts = [torch.randn(n, *row).to(device) for n in (3, 1, 0, 5)]
    return torch.nested.nested_tensor(parts, layout=torch.jagged, requires_grad=True)


@pytest.mark.parametrize("row", [(), (4,), (2, 3)])
@pytest.mark.parametrize("size", [None, 7])
def test_nested_to_padded_tensor_and_its_gradient(row: tuple[int, ...], size: int | None) -> None:
    results = []
    for device in ("cpu", "mps"):
        x = nested(device, row)
        shape = None if size is None else (4, size, *row)
        with oc.no_fallbacks():
            padded = x.to_padded_tensor(-2.5, shape)
            (
                padded * torch.arange(padded.shape[1], device=device).view(1, -1, *(1,) * len(row))
            ).sum().backward()
        results.append((padded.detach(), x.grad.values()))
    for cpu, mps in zip(*results, strict=True):
        assert mps.device.type == "mps"
        assert torch.equal(mps.cpu(), cpu)


def softmax(x: torch.Tensor) -> torch.Tensor:
    return x.softmax(1)


def layer_norm(x: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.layer_norm(x, (x.shape[1], 4))


@pytest.mark.parametrize("function", [softmax, layer_norm])
def test_nested_ops_that_pad(function: Callable[[torch.Tensor], torch.Tensor]) -> None:
    results = [function(nested(device)).values() for device in ("cpu", "mps")]
    assert results[1].device.type == "mps"
    torch.testing.assert_close(results[1].cpu(), results[0])


@pytest.mark.parametrize(
    ("dtype", "padding"),
    [
        (torch.int8, 1000.0),
        (torch.int32, 1.5),
        (torch.bool, 2.0),
        (torch.float16, 1e6),
        (torch.float32, -torch.inf),
    ],
)
def test_padding_is_converted_as_on_the_cpu(dtype: torch.dtype, padding: float) -> None:
    values, offsets = torch.tensor([[1, 0], [0, 1]]).to(dtype), torch.tensor([0, 1, 2])
    expected = to_padded(values, [offsets], [3], padding)
    assert torch.equal(to_padded(values.to("mps"), [offsets.to("mps")], [3], padding).cpu(), expected)


@pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental")
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex32, torch.uint16], ids=str)
def test_bits_are_all_that_a_way_back_needs(dtype: torch.dtype) -> None:
    padded = torch.randn(2, 3, 4).to(dtype) if dtype.is_complex else torch.arange(24).view(2, 3, 4).to(dtype)
    offsets = torch.tensor([0, 3, 4])
    actual = to_jagged(padded.to("mps"), [offsets.to("mps")], 4).cpu()
    assert torch.equal(actual.view(torch.uint8), to_jagged(padded, [offsets], 4).view(torch.uint8))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int16, torch.uint8], ids=str)
def test_offsets_of_any_dtype(dtype: torch.dtype) -> None:
    values, offsets = torch.randn(5, 3), torch.tensor([0, 2, 2, 5])
    moved = offsets.to("mps", dtype).repeat_interleave(2)[::2]
    padded = to_padded(values.to("mps"), [moved], [3])
    assert torch.equal(padded.cpu(), to_padded(values, [offsets], [3]))
    assert torch.equal(to_jagged(padded, [moved]).cpu(), values)


WRONG_OFFSETS = [[0, 2, 9], [-3, 2, 5], [4, 1, 3], [7, 8, 9], [-(1 << 63), (1 << 63) - 1, 0]]


@pytest.mark.parametrize(("dtype", "row"), [(torch.float32, (2,)), (torch.int8, ())])
@pytest.mark.parametrize("offsets", WRONG_OFFSETS)
def test_wrong_offsets_stay_inside(offsets: list[int], dtype: torch.dtype, row: tuple[int, ...]) -> None:
    """The CPU kernels raise or not; what they would read is not theirs."""
    wrong = torch.tensor(offsets, device="mps")
    padded = to_padded(torch.ones(5, *row, dtype=dtype, device="mps"), [wrong], [3], 0.0)
    assert ((padded == 0) | (padded == 1)).all()
    with pytest.raises(RuntimeError, match=r"final offset should match|batch item of length"):
        to_jagged(torch.ones(2, 3, *row, dtype=dtype, device="mps"), [wrong], 4)


def test_waits() -> None:
    offsets = torch.tensor([0, 2, 2, 5], device="mps")
    values, padded = torch.ones(5, 2, device="mps"), torch.ones(3, 3, 2, device="mps")
    assert oc.waits(lambda: to_padded(values, [offsets], [3])) == 0
    assert oc.waits(lambda: to_jagged(padded, [offsets], 5)) == 1
    assert oc.waits(lambda: to_jagged(padded, [offsets], 5)) == 0
    assert oc.waits(lambda: to_jagged(padded, [offsets])) == 1
    with pytest.raises(RuntimeError, match=r"found batch item of length 3 when max length .* is 2"):
        to_jagged(padded[:, :2], [offsets], 5)
    offsets[-1] = 4
    with pytest.raises(RuntimeError, match="final offset should match total_L value"):
        to_jagged(padded, [offsets], 5)


def test_one_jagged_dimension() -> None:
    offsets = torch.tensor([0, 2], device="mps")
    x = torch.ones(1, 2, 2, device="mps")
    for call in (
        lambda: to_padded(x[0], [offsets, offsets], [2, 2]),
        lambda: to_padded(x[0], [offsets], []),
        lambda: to_jagged(x, [offsets, offsets], 2),
    ):
        with pytest.raises(RuntimeError, match="only a single jagged dim is supported for now"):
            call()


@pytest.mark.skipif(mpsops._C.runtime != "sim", reason="takes more memory than most Macs have")
def test_offsets_beyond_32_bits() -> None:
    far = (1 << 32) + 9
    room = torch.empty(2 * far, dtype=torch.int8, device="mps")
    values = room.as_strided((2, 3), (far, 1))
    values.copy_(torch.arange(6).view(2, 3))
    offsets = torch.tensor([0, 0, 2], device="mps")
    padded = to_padded(values, [offsets], [2], 9.0)
    assert padded.tolist() == [[[9] * 3] * 2, [[0, 1, 2], [3, 4, 5]]]
    wide = room.as_strided((2, 1, 3), (far, 1, 1))
    assert to_jagged(wide, [torch.tensor([0, 1, 2], device="mps")], 2).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("columns", [1, 8, 9, 100])
def test_dispatches(columns: int) -> None:
    values: Any = torch.randn(5, columns, device="mps")
    offsets = [torch.tensor([0, 2, 5], device="mps")]
    mpsops.reset_counts()
    assert torch.equal(to_jagged(to_padded(values, offsets, [4]), offsets, 5), values)
    for row in mpsops.ops():
        if row.family == "jagged":
            assert (row.calls, row.dispatches) == (1, 1), row.name
