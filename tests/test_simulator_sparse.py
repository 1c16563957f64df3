"""Sparse COO tensors: what torch's SparseMPS has."""

import pytest
import torch

pytestmark = [
    pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning"),
    pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning"),
]


def test_round_trip() -> None:
    dense = torch.tensor([[0.0, 2.0], [3.0, 0.0]], device="mps")
    sparse = dense.to_sparse()
    assert sparse.device.type == "mps"
    assert sparse.layout == torch.sparse_coo
    assert sparse.indices().tolist() == [[0, 1], [1, 0]]
    assert torch.equal(sparse.to_dense(), dense)
    assert torch.equal(sparse.cpu().to_dense(), dense.cpu())
    assert torch.equal(dense.cpu().to_sparse().to("mps").to_dense(), dense)


def test_construction_and_coalescing() -> None:
    indices = torch.tensor([[0, 0, 1], [1, 1, 0]], device="mps")
    sparse = torch.sparse_coo_tensor(indices, torch.tensor([1.0, 2.0, 3.0], device="mps"), (2, 2))
    assert not sparse.is_coalesced()
    assert sparse.coalesce().values().tolist() == [3.0, 3.0]
    assert (sparse + sparse).to_dense().tolist() == [[0.0, 6.0], [6.0, 0.0]]


def test_in_place() -> None:
    sparse = torch.eye(3, device="mps").to_sparse()
    sparse.mul_(2)
    assert sparse.to_dense().tolist() == (torch.eye(3) * 2).tolist()
    sparse.zero_()
    assert sparse._nnz() == 0


def test_product() -> None:
    a = torch.tensor([[0.0, 2.0], [3.0, 0.0]], device="mps")
    b = torch.arange(4.0, device="mps").view(2, 2)
    assert torch.equal(torch.sparse.mm(a.to_sparse(), b), a @ b)


def test_ops_that_torch_lacks_are_refused() -> None:
    sparse = torch.eye(3, device="mps").to_sparse()
    with pytest.raises(NotImplementedError, match="SparseMPS"):
        sparse.acosh()
