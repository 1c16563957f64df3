"""state_dict, torch.save, torch.load, pickle."""

import io
import pickle

import torch
from torch import nn


def saved(value: object) -> io.BytesIO:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    buffer.seek(0)
    return buffer


def test_tensors_come_back_on_their_device() -> None:
    x = torch.randn(3, 4, device="mps")
    y = torch.load(saved(x.t()))
    assert y.device == torch.device("mps:0")
    assert y.stride() == (1, 4)
    assert torch.equal(y, x.t())
    assert torch.load(saved(x), map_location="cpu").device.type == "cpu"
    assert torch.load(saved(x.cpu()), map_location="mps").device.type == "mps"
    assert torch.equal(torch.load(saved(x.cpu()), map_location="mps"), x)


def test_views_still_share_storage() -> None:
    x = torch.zeros(4, device="mps")
    first, second = torch.load(saved([x, x[1:]]))
    first.fill_(1)
    assert second.tolist() == [1.0, 1.0, 1.0]


def test_module_state() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).to("mps")
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.randn(4, 2, device="mps")).sum().backward()
    optimizer.step()
    state = torch.load(
        saved({"module": module.state_dict(), "optimizer": optimizer.state_dict()}), map_location="cpu"
    )
    other = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    other.load_state_dict(state["module"])
    assert torch.equal(other[0].weight, module[0].weight.cpu())
    moved = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).to("mps")
    moved.load_state_dict(state["module"])
    again = torch.optim.Adam(moved.parameters())
    again.load_state_dict(state["optimizer"])
    assert again.state_dict()["state"][0]["exp_avg"].device.type == "mps"
    assert next(module.to("cpu").parameters()).device.type == "cpu"


def test_pickle() -> None:
    x = torch.arange(3, device="mps")
    assert torch.equal(pickle.loads(pickle.dumps(x)), x)
    parameter = nn.Parameter(torch.ones(2, device="mps"))
    assert pickle.loads(pickle.dumps(parameter)).requires_grad
