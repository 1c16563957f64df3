"""DataLoader, pinned memory, processes."""

import os

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

DATASET = TensorDataset(torch.arange(12.0).view(12, 1), torch.arange(12))


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_move_to_the_device(workers: int) -> None:
    total = torch.zeros((), device="mps")
    for data, _ in DataLoader(DATASET, batch_size=5, num_workers=workers):
        total += data.to("mps", non_blocking=True).sum()
    assert total.item() == 66


def test_pin_memory() -> None:
    # torch's own words on a Mac.
    with pytest.warns(UserWarning, match="'pin_memory' argument is set as true but not supported on MPS now"):
        batches = list(DataLoader(DATASET, batch_size=4, pin_memory=True))
    assert all(data.to("mps").device.type == "mps" for data, _ in batches)


def test_collating_on_the_device() -> None:
    data = TensorDataset(torch.arange(4.0, device="mps"))
    assert [batch.tolist() for (batch,) in DataLoader(data, batch_size=2)] == [[0.0, 1.0], [2.0, 3.0]]


def test_child_process_has_a_copy() -> None:
    x = torch.ones(100, device="mps")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        x.fill_(2)
        os.write(writing, str(int(x.sum().item())).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == b"200"
    assert x.sum().item() == 100
    os.close(reading)
    os.close(writing)
