"""Views, storages, resizing and dtypes of device tensors, and what torch says about devices."""

import copy

import pytest
import torch


def test_views_share_memory() -> None:
    base = torch.zeros(4, 6, device="mps")
    base.t()[1:3].fill_(1)
    base.view(24)[::5] = 2
    base.permute(1, 0).unfold(0, 2, 2).mul_(3)
    reference = torch.zeros(4, 6)
    reference.t()[1:3].fill_(1)
    reference.view(24)[::5] = 2
    reference.permute(1, 0).unfold(0, 2, 2).mul_(3)
    assert torch.equal(base.cpu(), reference)
    assert base[1:].data_ptr() == base.data_ptr() + 24
    assert base.t().untyped_storage().data_ptr() == base.untyped_storage().data_ptr()


def test_complex_views() -> None:
    x = torch.randn(5, 2, device="mps")
    z = torch.view_as_complex(x)
    assert torch.equal(z.conj().imag.cpu(), -x[:, 1].cpu())
    z.mul_(2j)
    assert torch.equal((z.conj() + 1).cpu(), torch.view_as_complex(x.cpu()).conj() + 1)


def test_out_is_resized() -> None:
    out = torch.empty(0, device="mps")
    result = torch.add(torch.ones(3, device="mps"), 1, out=out)
    assert result is out
    assert out.tolist() == [2.0, 2.0, 2.0]
    values, indices = torch.empty(0, device="mps"), torch.empty(0, dtype=torch.long, device="mps")
    torch.sort(torch.tensor([2.0, 1.0], device="mps"), out=(values, indices))
    assert (values.tolist(), indices.tolist()) == ([1.0, 2.0], [1, 0])


def test_resize_keeps_the_data() -> None:
    x = torch.arange(4.0, device="mps")
    assert x.resize_(2, 3)[0].tolist() == [0.0, 1.0, 2.0]
    y = torch.empty(0, device="mps").set_(x.untyped_storage(), 1, (2,))
    assert y.tolist() == [1.0, 2.0]
    y.set_(torch.ones(3, device="mps"))
    assert y.tolist() == [1.0, 1.0, 1.0]
    assert y.set_().numel() == 0


def test_scalars_and_printing() -> None:
    assert repr(torch.tensor([1.5, 2], device="mps")) == "tensor([1.5000, 2.0000], device='mps:0')"
    assert float(torch.tensor(2.5, device="mps")) == 2.5
    assert bool(torch.tensor([True], device="mps"))
    assert torch.tensor([[1, 2]], device="mps").tolist() == [[1, 2]]
    assert f"{torch.tensor(3, device='mps'):d}" == "3"


def test_no_float64() -> None:
    text = (
        "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64. "
        "Please use float32 instead."
    )
    x = torch.ones(2, device="mps")
    for refused in (
        lambda: torch.zeros(2, dtype=torch.float64, device="mps"),
        lambda: torch.zeros(2, dtype=torch.float64).to("mps"),
        x.double,
        lambda: x.sum(dtype=torch.float64),
        lambda: torch.ones(2, dtype=torch.complex128).to("mps"),
    ):
        with pytest.raises(TypeError) as caught:
            refused()
        assert str(caught.value) == text
    assert torch.ones(2, dtype=torch.float64).to("mps", torch.float32).dtype == torch.float32
    assert (x + torch.tensor(2.0, dtype=torch.float64)).dtype == torch.float32


def test_devices_do_not_mix() -> None:
    cpu, mps = torch.ones(2, 2), torch.ones(2, 2, device="mps")
    with pytest.raises(RuntimeError, match="at least two devices, mps:0 and cpu!"):
        cpu + mps
    with pytest.raises(RuntimeError, match="at least two devices, mps:0 and cpu!"):
        mps.add_(cpu)
    with pytest.raises(RuntimeError, match=r"^Expected all tensors to be on the same device"):
        mps @ cpu
    with pytest.raises(RuntimeError, match=r"^Expected all tensors to be on the same device"):
        torch.cat([mps, cpu])
    with pytest.raises(RuntimeError, match="at least two devices"):
        torch.add(mps, mps, out=cpu)
    assert (mps + torch.tensor(1.0)).tolist() == [[2.0, 2.0], [2.0, 2.0]]
    assert mps[torch.tensor([0])].shape == (1, 2)  # indices may be on the CPU


def test_there_is_one_device() -> None:
    assert torch.device("mps").index is None
    assert torch.ones(1, device="mps:0").device == torch.device("mps:0")
    with pytest.raises(RuntimeError, match="Invalid MPS device index 1: there is one MPS device"):
        torch.ones(1, device="mps:1")
    with pytest.raises(RuntimeError, match="Invalid MPS device index 1"):
        torch.ones(1).to("mps:1")


def test_more_than_sixteen_dimensions() -> None:
    with pytest.raises(RuntimeError, match=r"MPS supports tensors with dimensions <= 16, but got 17\."):
        torch.empty([1] * 17, device="mps")


def test_deepcopy() -> None:
    x = torch.arange(6.0, device="mps")
    y = copy.deepcopy(x[2:])
    y.zero_()
    assert x.sum().item() == 15
    assert y.device.type == "mps"


def test_untyped_storages() -> None:
    storage = torch.UntypedStorage(8, device="mps")
    assert (storage.nbytes(), storage.device.type) == (8, "mps")
    assert torch.empty(0, device="mps").set_(storage, 0, (2,)).fill_(1).tolist() == [1.0, 1.0]
    clone = torch.ones(2, device="mps").untyped_storage().clone()
    assert torch.empty(0, device="mps").set_(clone, 0, (2,)).tolist() == [1.0, 1.0]
    assert clone.cpu().device.type == "cpu"


def test_copies_convert_and_broadcast() -> None:
    x = torch.empty(2, 3, dtype=torch.float16, device="mps")
    x.copy_(torch.arange(3, dtype=torch.float64))
    assert x.tolist() == [[0.0, 1.0, 2.0]] * 2
    y = torch.empty(3, 2, dtype=torch.int64)
    y.copy_(x.t())
    assert y.tolist() == [[0, 0], [1, 1], [2, 2]]
    assert x.to("cpu", torch.float64).dtype == torch.float64
    assert torch.ones(2, 3).to(x).dtype == torch.float16
    with pytest.raises(RuntimeError, match="must match the size"):
        x.copy_(torch.ones(4))


def test_kernels_leave_the_guard_alone() -> None:
    from mpsops.simulator import check_memory

    x = torch.randn(33, 17, device="mps")
    for result in (x.softmax(1), x.sort(0).values, x @ x.t(), x.cumsum(1), x.t().contiguous()):
        check_memory(result)
    check_memory(x)
