"""The parts of SyncBatchNorm: end to end, accuracy of the variance, infinities, what they refuse."""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn.modules._functions import SyncBatchNorm

import mpsops

Tensor = torch.Tensor
EPS = 1e-5
FORMATS = [torch.contiguous_format, torch.channels_last]
formats = pytest.mark.parametrize("memory_format", FORMATS, ids=["contiguous", "channels_last"])


def dispatches(function: Callable[[], Any]) -> int:
    before = sum(row.dispatches for row in mpsops.ops())
    function()
    return sum(row.dispatches for row in mpsops.ops()) - before


def batch(*shape: int, memory_format: torch.memory_format = torch.contiguous_format) -> Tensor:
    torch.manual_seed(0)
    return (torch.randn(shape) * 3 + 2).contiguous(memory_format=memory_format)


class Reference:
    """BatchNorm in float64: its output, gradients and running averages."""

    def __init__(self, x: Tensor, dy: Tensor, weight: Tensor | None, bias: Tensor | None) -> None:
        layer = torch.nn.BatchNorm2d(x.shape[1], EPS, momentum=0.3, affine=weight is not None).double()
        if weight is not None:
            layer.weight.data, layer.bias.data = weight.double(), bias.double()
        input = x.double().requires_grad_()
        output = layer(input)
        output.backward(dy.double())
        gradients = [] if weight is None else [layer.weight.grad, layer.bias.grad]
        self.values = [output, input.grad, *gradients, layer.running_mean, layer.running_var]

    def check(self, *found: Tensor) -> None:
        for ours, expected in zip(found, self.values, strict=True):
            # Gradients are sums over the batch, in which large terms cancel.
            close = {torch.float32: (1e-5, 1e-5), torch.half: (2e-3, 2e-3), torch.bfloat16: (1.6e-2, 2e-2)}
            rtol, atol = close[ours.dtype]
            atol *= max(1.0, expected.abs().max().item())
            torch.testing.assert_close(ours.detach().cpu().double(), expected, rtol=rtol, atol=atol)


@pytest.mark.parametrize("dtype", [torch.float32, torch.half, torch.bfloat16])
@pytest.mark.parametrize("affine", [True, False])
@formats
def test_sync_batch_norm(
    monkeypatch: pytest.MonkeyPatch, memory_format: torch.memory_format, affine: bool, dtype: torch.dtype
) -> None:
    """torch's autograd function, over a group of one process."""
    monkeypatch.setattr(
        torch.distributed, "all_gather_single", lambda out, data, group, async_op: out.view(-1).copy_(data)
    )
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda *args, **kwargs: None)
    group = SimpleNamespace(_get_backend_name=lambda: "mps")

    x = batch(3, 5, 9, 10, memory_format=memory_format).to(dtype)
    dy = torch.randn_like(x)
    weight, bias = (torch.randn(5), torch.randn(5)) if affine else (None, None)
    running_mean, running_var = torch.zeros(5, device="mps"), torch.ones(5, device="mps")
    leaves = [x.to("mps").requires_grad_()]
    leaves += [p.to("mps").requires_grad_() for p in (weight, bias) if p is not None]
    pair = leaves[1:] or [None, None]
    from mpsops import simulator

    before = simulator.fallback_count() if mpsops._C.runtime == "sim" else 0
    output = SyncBatchNorm.apply(leaves[0], *pair, running_mean, running_var, EPS, 0.3, group, 1)
    output.backward(dy.to("mps"))
    if mpsops._C.runtime == "sim":
        assert simulator.fallback_count() == before
    assert output.is_contiguous(memory_format=memory_format)
    assert leaves[0].grad.is_contiguous(memory_format=memory_format)
    Reference(x, dy, weight, bias).check(output, *[leaf.grad for leaf in leaves], running_mean, running_var)


@formats
def test_two_ranks(memory_format: torch.memory_format) -> None:
    """Two unequal parts of a batch, normalized by the statistics of both, give BatchNorm of the whole."""
    x = batch(5, 6, 40, 41, memory_format=memory_format)  # several groups for each channel
    dy = torch.randn_like(x)
    weight, bias = torch.randn(6), torch.randn(6)
    w, b = weight.to("mps"), bias.to("mps")
    running = [torch.zeros(6, device="mps"), torch.ones(6, device="mps")]
    parts, grads = x.to("mps").split((2, 3)), dy.to("mps").split((2, 3))

    local = [torch.batch_norm_stats(part, EPS) for part in parts]
    counts = torch.tensor([part.numel() // 6 for part in parts], dtype=torch.float32, device="mps")
    mean, invstd = torch.batch_norm_gather_stats_with_counts(
        x.to("mps"), *[torch.stack(both) for both in zip(*local, strict=True)], *running, 0.3, EPS, counts
    )
    output = torch.cat([torch.batch_norm_elemt(part, w, b, mean, invstd, EPS) for part in parts])
    reduced = [
        torch.batch_norm_backward_reduce(dy, part, mean, invstd, w, True, True, True)
        for dy, part in zip(grads, parts, strict=True)
    ]
    sum_dy, sum_dy_xmu, grad_weight, grad_bias = (sum(both) for both in zip(*reduced, strict=True))
    grad_input = torch.cat(
        [
            torch.batch_norm_backward_elemt(dy, part, mean, invstd, w, sum_dy, sum_dy_xmu, counts.int())
            for dy, part in zip(grads, parts, strict=True)
        ]
    )
    Reference(x, dy, weight, bias).check(output, grad_input, grad_weight, grad_bias, *running)


@pytest.mark.parametrize("mean", [0.0, 1e3, 1e6, -3e7])
@pytest.mark.parametrize("first", [None, 0.0], ids=["plain", "outlier_first"])
@formats
def test_large_mean_keeps_the_variance(
    memory_format: torch.memory_format, first: float | None, mean: float
) -> None:
    """As near to float64 as the rounding of the variance itself, for a mean of up to 10^7 deviations."""
    torch.manual_seed(1)
    x = (torch.randn(4, 3, 40, 41) * 4 + mean).contiguous(memory_format=memory_format)
    if first is not None:
        x[0, :, 0, 0] = first  # values are taken relative to this one
    ours_mean, ours_var = torch.batch_norm_update_stats(x.to("mps"), None, None, 0.1)
    wide = x.double()
    torch.testing.assert_close(ours_mean.cpu().double(), wide.mean((0, 2, 3)), rtol=2e-7, atol=1e-6)
    expected = wide.var((0, 2, 3), correction=0)
    if first is None:
        torch.testing.assert_close(ours_var.cpu().double(), expected, rtol=2e-6, atol=0)
    else:
        # Relative to 0, values keep the bits that they have; the outlier is most of the variance.
        torch.testing.assert_close(ours_var.cpu().double(), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("position", [(0, 0, 0, 0), (1, 0, 2, 1), (2, 0, 3, 3)])
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
@formats
def test_special_values(memory_format: torch.memory_format, value: float, position: tuple[int, ...]) -> None:
    """The mean of values with one infinity is that infinity, as on the CPU; other channels see nothing."""
    x = batch(3, 2, 4, 4, memory_format=memory_format)
    x[position] = value
    expected = torch.batch_norm_update_stats(x, None, None, 0.1)
    ours = torch.batch_norm_update_stats(x.to("mps"), None, None, 0.1)
    for result, target in zip(ours, expected, strict=True):
        torch.testing.assert_close(result.cpu(), target, equal_nan=True)


@pytest.mark.parametrize("eps", [0.0, 0.1])
def test_constant_channel(eps: float) -> None:
    """Without eps its inverse deviation is 0, as on CUDA."""
    x = torch.full((2, 3, 5), 0.7, device="mps")
    mean, invstd = torch.batch_norm_stats(x, eps)
    assert mean.tolist() == [x[0, 0, 0].item()] * 3
    torch.testing.assert_close(invstd.cpu(), torch.full((3,), 0.0 if eps == 0 else 1 / math.sqrt(eps)))


def test_no_elements() -> None:
    mean, invstd = torch.batch_norm_stats(torch.empty(0, 3, 4, device="mps"), EPS)
    assert mean.tolist() == [0, 0, 0]
    assert invstd.isnan().all()
    x, statistic = torch.empty(0, 3, 4, device="mps"), torch.ones(3, device="mps")
    for sums in torch.batch_norm_backward_reduce(x, x, statistic, statistic, statistic, True, True, True):
        assert sums.tolist() == [0, 0, 0]


def test_ranks_without_elements_do_not_count() -> None:
    """CUDA gives NaN here, and SyncBatchNorm takes such ranks out before it calls."""
    x = torch.empty(1, 2, device="mps")
    mean = torch.tensor([[9.0, 9.0], [1.0, 2.0]], device="mps")
    invstd = torch.tensor([[math.nan, 0.0], [0.5, 0.25]], device="mps")
    counts = torch.tensor([0.0, 4.0], device="mps")
    found = torch.batch_norm_gather_stats_with_counts(x, mean, invstd, None, None, 0.1, EPS, counts)
    torch.testing.assert_close(found[0].cpu(), torch.tensor([1.0, 2.0]))
    torch.testing.assert_close(found[1].cpu(), torch.tensor([0.5, 0.25]))


@formats
def test_running_averages_with_strides(memory_format: torch.memory_format) -> None:
    """They are written where they are, and what lies between is left alone."""
    x = batch(4, 5, 30, 30, memory_format=memory_format)
    averages = torch.arange(20.0).view(2, 5, 2)
    device = averages.to("mps")
    torch.batch_norm_update_stats(x.to("mps"), device[0, :, 0], device[1, :, 1], 0.25)
    torch.batch_norm_update_stats(x, averages[0, :, 0], averages[1, :, 1], 0.25)
    torch.testing.assert_close(device.cpu(), averages)


def test_weight_gradient_without_weight() -> None:
    """Gradients of an implied weight of ones, in the dtype of the statistics."""
    x, dy = batch(2, 3, 4).half().to("mps"), batch(2, 3, 4).half().to("mps")
    mean, invstd = torch.zeros(3, device="mps"), torch.ones(3, device="mps")
    sum_dy, sum_dy_xmu, weight, bias = torch.batch_norm_backward_reduce(
        dy, x, mean, invstd, None, True, True, True
    )
    assert weight.dtype == bias.dtype == torch.float32
    assert torch.equal(weight, sum_dy_xmu)
    assert torch.equal(bias, sum_dy)


@formats
def test_dispatches_and_determinism(memory_format: torch.memory_format) -> None:
    """Two where groups share a channel, one where they do not; the same bits each time."""
    few = batch(2, 6, 5, 5, memory_format=memory_format).to("mps")
    many = batch(6, 6, 40, 40, memory_format=memory_format).to("mps")
    statistic, count = torch.ones(6, device="mps"), torch.tensor([9], dtype=torch.int32, device="mps")
    for x, expected in ((few, 1), (many, 2)):
        calls = [
            lambda x=x: torch.batch_norm_stats(x, EPS),
            lambda x=x: torch.batch_norm_update_stats(x, None, None, 0.1),
            lambda x=x: torch.batch_norm_backward_reduce(x, x, *[statistic] * 3, True, True, True),
            lambda x=x: (torch.batch_norm_elemt(x, *[statistic] * 4, EPS),),
            lambda x=x: (torch.batch_norm_backward_elemt(x, x, *[statistic] * 5, count),),
        ]
        assert [dispatches(call) for call in calls] == [expected] * 3 + [1, 1]
        for call in calls:
            for first, again in zip(call(), call(), strict=True):
                assert torch.equal(first, again)


def test_scratch_memory_is_bounded() -> None:
    """Of a reduction: 16 bytes for each channel and block, at most 128 blocks."""
    x = torch.zeros(8, 2, 512, 512, device="mps")
    torch.batch_norm_stats(x, EPS)
    torch.accelerator.reset_peak_memory_stats()
    before = torch.accelerator.memory_allocated()
    torch.batch_norm_stats(x, EPS)
    assert torch.accelerator.max_memory_allocated() - before <= 2 * 128 * 16 + 4096


def scattered(x: Tensor) -> Tensor:
    """The same values, with features that are no single run in memory."""
    room = torch.zeros(*x.shape[:-1], 2 * x.shape[-1], dtype=x.dtype)
    room[..., ::2] = x
    return room[..., ::2].transpose(-1, -2).contiguous().transpose(-1, -2)[..., :-1]


def test_scattered_features() -> None:
    """Operands that no three strides describe, inputs and out= alike."""
    x, dy = scattered(batch(2, 3, 4, 6)), scattered(batch(2, 3, 4, 6).flip(0))
    assert not x.is_contiguous()
    statistic, count = torch.rand(3) + 0.5, torch.tensor([40], dtype=torch.int32, device="mps")
    on_mps = [t.to("mps") for t in (x, dy, statistic)]
    assert torch.equal(
        torch.batch_norm_backward_elemt(on_mps[1], on_mps[0], *[on_mps[2]] * 5, count),
        torch.batch_norm_backward_elemt(
            on_mps[1].contiguous(), on_mps[0].contiguous(), *[on_mps[2]] * 5, count
        ),
    )
    room = scattered(torch.zeros(2, 3, 4, 6)).to("mps")
    torch.batch_norm_elemt(on_mps[0], *[on_mps[2]] * 4, EPS, out=room)
    expected = (x - statistic.view(3, 1, 1)) * statistic.view(3, 1, 1) ** 2 + statistic.view(3, 1, 1)
    torch.testing.assert_close(room.cpu(), expected)


HALF, FLOAT = torch.half, torch.float32


def refusals() -> list[tuple[str, Callable[[], Any]]]:
    x = torch.ones(2, 3, 4, device="mps")
    s, h, short = (torch.ones(3, device="mps"), torch.ones(3, dtype=HALF, device="mps"), x[0, 0, :2])
    count, matrix = torch.ones(1, dtype=torch.int32, device="mps"), torch.ones(2, 3, device="mps")
    elemt, reduce = torch.batch_norm_elemt, torch.batch_norm_backward_reduce
    backward, gather = torch.batch_norm_backward_elemt, torch.batch_norm_gather_stats
    counted = torch.batch_norm_gather_stats_with_counts
    wanted = (True, True, True)
    return [
        ("mean and invstd need to have the same data types", lambda: elemt(x, s, s, s, h, EPS)),
        ("Expected mean to have type Float but got Half", lambda: elemt(x, s, s, h, h, EPS)),
        ("Expected weight to have type Float but got Half", lambda: elemt(x, h, s, s, s, EPS)),
        ("Expected bias to have type Float but got Half", lambda: elemt(x, s, h, s, s, EPS)),
        (
            "Expected output to have type Float but got Half",
            lambda: elemt(x, s, s, s, s, EPS, out=x.half()),
        ),
        ("weight must be of size .3., got .2.", lambda: elemt(x, short, s, s, s, EPS)),
        ("mean must be of size .3., got .2.", lambda: elemt(x, s, s, short, s, EPS)),
        ("on the same device", lambda: elemt(x, s, s, s.cpu(), s, EPS)),
        ("Expected input to have type Float but got Half", lambda: reduce(x, x.half(), s, s, s, *wanted)),
        ("invalid for input of size 12", lambda: reduce(x[:1], x, s, s, s, *wanted)),
        ("expected scalar type Int but found Float", lambda: backward(x, x, s, s, s, s, s, s)),
        ("Expected sum_dy to have type Float but got Half", lambda: backward(x, x, s, s, s, h, s, count)),
        ("sum_dy_xmu must be of size .3., got .2.", lambda: backward(x, x, s, s, s, s, short, count)),
        ("mean and invstd must be of one size", lambda: gather(x, matrix, s, None, None, 0.1, EPS, 4)),
        (
            "Expected counts to have type Half but got Float",
            lambda: counted(x, matrix, matrix, h, h, 0.1, EPS, s[:2]),
        ),
        ("counts must be of size .2., got .3.", lambda: counted(x, matrix, matrix, s, s, 0.1, EPS, s)),
        ("running_var should contain 3", lambda: torch.batch_norm_update_stats(x, s, short, 0.1)),
    ]


@pytest.mark.parametrize("number", range(17))
def test_refusals(number: int) -> None:
    text, call = refusals()[number]
    with pytest.raises(RuntimeError, match=text):
        call()


@pytest.mark.skipif(mpsops._C.runtime != "sim", reason="switches the checks of the simulator off")
def test_more_than_32_bits_of_elements() -> None:
    """A channel of 2^31 elements and one, few of them in memory."""
    from mpsops import simulator

    x = torch.tensor([1.0, 2.0, 3.0], device="mps").expand(715827883, 1, 3)
    assert x.numel() == 2**31 + 1
    with simulator.checked(False):  # for the time that it takes
        mean, var = torch.batch_norm_update_stats(x, None, None, 0.1)
    torch.testing.assert_close(mean.cpu(), torch.tensor([2.0]))
    torch.testing.assert_close(var.cpu(), torch.tensor([2 / 3]))
