"""Conversion of sparse indices: 32-bit results, strides, and matrices that are large or wrong."""

import pytest
import torch

import mpsops

coo_to_csr = torch._convert_indices_from_coo_to_csr
csr_to_coo = torch._convert_indices_from_csr_to_coo


def test_32_bit_results() -> None:
    rows = torch.randint(0, 50, (200,)).sort().values
    columns = torch.randint(0, 50, (200,))
    for dtype in (torch.int64, torch.int32, torch.uint8):
        offsets = coo_to_csr(rows.to("mps", dtype), 50, out_int32=True)
        assert offsets.dtype is torch.int32
        assert torch.equal(offsets.cpu(), coo_to_csr(rows, 50, out_int32=True))
        for transpose in (False, True):
            expected = csr_to_coo(offsets.cpu(), columns.int(), out_int32=True, transpose=transpose)
            # Columns may be of another dtype, even of floats.
            for given in (columns.int(), columns, columns.float()):
                actual = csr_to_coo(offsets, given.to("mps"), out_int32=True, transpose=transpose)
                assert actual.dtype is torch.int32
                assert torch.equal(actual.cpu(), expected)


@pytest.mark.parametrize("rows", [1, 7, 3000])
@pytest.mark.parametrize("entries", [1, 6, 5000])
def test_there_and_back(rows: int, entries: int) -> None:
    indices = torch.randint(0, rows, (entries,)).sort().values.to("mps")
    columns = torch.arange(entries, device="mps")
    offsets = coo_to_csr(indices, rows)
    assert torch.equal(csr_to_coo(offsets, columns), torch.stack([indices, columns]))


def test_strides() -> None:
    indices = torch.tensor([0, 9, 1, 9, 1, 9, 3, 9], device="mps")[::2]
    out = torch.empty(10, dtype=torch.int64, device="mps")[::2]
    assert coo_to_csr(indices, 4, out=out).tolist() == [0, 1, 3, 3, 4]
    out = torch.empty(4, 2, dtype=torch.int64, device="mps").t()
    columns = torch.tensor([[5, 6], [7, 8]], device="mps").t().reshape(4)
    assert csr_to_coo(coo_to_csr(indices, 4), columns, out=out).tolist() == [[0, 1, 1, 3], [5, 7, 6, 8]]
    batched = torch.tensor([[0, 0], [1, 0], [2, 2]], device="mps").t()
    columns = torch.tensor([[1, 3], [2, 4]], device="mps").t()
    expected = [[0, 0, 1, 1], [0, 1, 1, 1], [1, 2, 3, 4]]
    assert csr_to_coo(batched, columns).tolist() == expected


def test_wrong_indices_stay_inside() -> None:
    """The CPU kernels write beyond their results."""
    indices = torch.tensor([-5, 0, 1 << 40, 1 << 62], device="mps")
    assert coo_to_csr(indices, 2).tolist() == [1, 2, 2]
    coo_to_csr(indices.flip(0), 2)
    columns = torch.arange(4, device="mps")
    assert csr_to_coo(indices, columns).shape == (2, 4)
    assert csr_to_coo(indices.flip(0), columns).shape == (2, 4)
    assert csr_to_coo(torch.tensor([0], device="mps"), columns).tolist() == [[0] * 4] * 2


@pytest.mark.skipif(mpsops._C.runtime != "sim", reason="takes more memory than most Macs have")
def test_offsets_beyond_32_bits() -> None:
    room = torch.empty((1 << 32) + 9, dtype=torch.uint8, device="mps")
    indices = room.as_strided((3,), (1 << 31,))
    indices.copy_(torch.tensor([1, 1, 2]))
    assert coo_to_csr(indices, 3).tolist() == [0, 0, 2, 3]
