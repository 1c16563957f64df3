"""CTC loss beyond OpInfo's samples: all lengths and layouts, long targets, bad input, determinism."""

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import mpsops
import op_cases as oc

aten = torch.ops.aten
INF, NAN = float("inf"), float("nan")


def log_probs(time: int, batch: int, labels: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(time, batch, labels, generator=generator).log_softmax(2)


def concatenated(targets: torch.Tensor, lengths: list[int]) -> torch.Tensor:
    return torch.cat([row[:length] for row, length in zip(targets, lengths, strict=True)])


def loss_and_gradient(x: torch.Tensor, device: str, dtype: torch.dtype, *args: Any, **kwargs: Any) -> Any:
    x = x.to(device, dtype).requires_grad_()
    args = tuple(a.to(device) if isinstance(a, torch.Tensor) and a.dtype != torch.int16 else a for a in args)
    loss = F.ctc_loss(x, *args, **kwargs)
    weights = torch.arange(1.0, loss.numel() + 1).reshape(loss.shape).to(device, dtype)
    (gradient,) = torch.autograd.grad(loss, x, weights)
    return loss.detach(), gradient


def check(x: torch.Tensor, *args: Any, **kwargs: Any) -> None:
    """Loss and gradient are those of the CPU, and as near to float64 as the CPU's."""
    with oc.no_fallbacks():
        actual = loss_and_gradient(x, "mps", torch.float32, *args, **kwargs)
    same = loss_and_gradient(x, "cpu", torch.float32, *args, **kwargs)
    reference = loss_and_gradient(x, "cpu", torch.float64, *args, **kwargs)
    for what, *results in zip(("loss", "gradient"), actual, same, reference, strict=True):
        oc.assert_matches(*results, what)


@contextmanager
def dispatches() -> Iterator[dict[str, int]]:
    mpsops.reset_counts()
    found: dict[str, int] = {}
    yield found
    found.update({row.name.removeprefix("aten::"): row.dispatches for row in mpsops.ops() if row.calls})


# (input length, target length): all lengths, none at all, targets that do not fit, one step for one label.
LENGTHS = [(12, 5), (12, 0), (7, 3), (0, 0), (0, 2), (5, 5), (1, 1), (1, 0), (3, 5), (2, 1), (12, 1), (11, 4)]


@pytest.mark.parametrize("zero_infinity", [False, True])
@pytest.mark.parametrize("blank", [0, 3, 6])
@pytest.mark.parametrize("layout", ["padded", "concatenated"])
def test_lengths(layout: str, blank: int, zero_infinity: bool) -> None:
    input_lengths, target_lengths = map(list, zip(*LENGTHS, strict=True))
    generator = torch.Generator().manual_seed(blank)
    # Three labels in targets of five: repeats, side by side and apart.
    targets = torch.tensor([1, 2, 5])[torch.randint(3, (len(LENGTHS), 6), generator=generator)]
    if layout == "concatenated":
        targets = concatenated(targets, target_lengths)
    for reduction in ("none", "mean", "sum"):
        check(
            log_probs(12, len(LENGTHS), 7),
            targets,
            input_lengths,
            target_lengths,
            blank=blank,
            reduction=reduction,
            zero_infinity=zero_infinity,
        )


@pytest.mark.parametrize("labels", [[1, 1, 1, 1], [1, 2, 1, 2], [1, 2, 2, 1], [3, 1, 2, 3]])
def test_repeated_labels(labels: list[int]) -> None:
    for time in (4, 5, 6, 7, 15):
        check(log_probs(time, 1, 4), torch.tensor([labels]), [time], [4], reduction="none")


def test_against_all_paths() -> None:
    """By definition: the probability of a target is that of all labelings that collapse to it."""
    time, labels, target = 5, 3, [1, 2]
    x = log_probs(time, 1, labels)
    total = 0.0
    for path in itertools.product(range(labels), repeat=time):
        if [label for label, _ in itertools.groupby(path) if label != 0] == target:
            total += math.exp(sum(x[t, 0, label].item() for t, label in enumerate(path)))
    loss = F.ctc_loss(x.to("mps"), torch.tensor([target], device="mps"), [time], [2], reduction="none")
    assert loss.item() == pytest.approx(-math.log(total), rel=1e-6)


@pytest.mark.parametrize("target_length", [15, 16, 511, 512, 700])
def test_blocks_of_states(target_length: int) -> None:
    """States below, at and above a simdgroup's and a group's number of threads: 1024 need a second turn."""
    time = target_length + 40
    generator = torch.Generator().manual_seed(target_length)
    targets = torch.randint(1, 40, (2, target_length), generator=generator)
    check(log_probs(time, 2, 40), targets, [time, time - 1], [target_length, target_length // 2])


def test_target_of_one_label() -> None:
    """All of 600 positions are linked, over the blocks of states."""
    check(log_probs(1210, 1, 3), torch.full((1, 600), 2), [1210], [600])


def test_more_labels_than_threads() -> None:
    check(log_probs(6, 2, 3000), torch.tensor([[7, 2999, 7], [1500, 1, 2]]), [6, 6], [3, 3], blank=2998)


def test_batches_larger_than_a_dispatch() -> None:
    """Lengths come as bytes with the dispatch, those of 170 items at a time; as a tensor all at once."""
    batch = 400
    x = log_probs(9, batch, 5)
    generator = torch.Generator().manual_seed(0)
    input_lengths = torch.randint(0, 10, (batch,), generator=generator)
    target_lengths = torch.randint(0, 5, (batch,), generator=generator)
    targets = torch.randint(1, 5, (batch, 4), generator=generator)
    for layout in (targets, concatenated(targets, target_lengths.tolist())):
        check(x, layout, input_lengths.tolist(), target_lengths.tolist(), zero_infinity=True)
        with dispatches() as found:
            on_mps = x.to("mps").requires_grad_()
            F.ctc_loss(on_mps, layout.to("mps"), input_lengths, target_lengths, zero_infinity=True).backward()
        assert found == {"_ctc_loss": 3, "_ctc_loss_backward": 6}


LAYOUTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "batch first": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "labels apart": lambda x: x.permute(2, 0, 1).contiguous().permute(1, 2, 0),
    "every other": lambda x: x.repeat_interleave(2, 2)[..., ::2],
    "one item for all": lambda x: x[:, :1].expand(x.shape),
    "offset": lambda x: torch.cat([x[:1], x])[1:],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_strides(layout: str) -> None:
    x = LAYOUTS[layout](log_probs(8, 3, 6))
    targets = torch.tensor([[1, 9, 2], [3, 9, 3], [2, 9, 1], [5, 9, 4]]).t()[::2]
    lengths = [4, 2]
    x = x[:, :2]
    cotangent = torch.tensor([2.0, -3.0])
    results = []
    for device, dtype in (("mps", torch.float32), ("cpu", torch.float32), ("cpu", torch.float64)):
        values = oc.same_layout_on_device(x) if device == "mps" else x.to(dtype)
        labels = oc.same_layout_on_device(targets) if device == "mps" else targets
        loss, log_alpha = aten._ctc_loss(values, labels, [8, 7], lengths, 0, False)
        # Also what the backward gets need not be contiguous.
        grads = torch.stack([cotangent.to(device, dtype)] * 2, 1)[:, 1]
        alphas = log_alpha.transpose(1, 2).contiguous().transpose(1, 2)
        losses = torch.stack([loss, loss], 1)[:, 0]
        results.append(
            (loss, aten._ctc_loss_backward(grads, values, labels, [8, 7], lengths, losses, alphas, 0, False))
        )
    for what, *each in zip(("loss", "gradient"), *results, strict=True):
        oc.assert_matches(*each, what)


def test_concatenated_targets_with_a_stride() -> None:
    """The CPU kernel steps over them within an item, but not from one item to the next."""
    x, targets = log_probs(7, 3, 6), torch.tensor([1, 2, 3, 4, 5, 1, 2, 3])
    arguments = ([7, 6, 7], [3, 2, 3])
    expected = loss_and_gradient(x, "cpu", torch.float32, targets, *arguments)
    strided = torch.stack([targets, -targets], 1).to("mps")[:, 0]
    assert strided.stride() == (2,)
    for actual, value in zip(
        loss_and_gradient(x, "mps", torch.float32, strided, *arguments), expected, strict=True
    ):
        torch.testing.assert_close(actual.cpu(), value)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_target_dtypes(dtype: torch.dtype) -> None:
    """torch's ctc_loss makes int64 of all targets; the op takes int32 too."""
    x, targets = log_probs(6, 2, 5), torch.tensor([[1, 4, 4], [2, 3, 1]], dtype=dtype)
    results = []
    for device in ("mps", "cpu"):
        values, labels, ones = x.to(device), targets.to(device), torch.ones(2, device=device)
        outputs = aten._ctc_loss(values, labels, [6, 5], [3, 3], 0, False)
        gradient = aten._ctc_loss_backward(ones, values, labels, [6, 5], [3, 3], *outputs, 0, False)
        results.append((outputs[0].cpu(), gradient.cpu()))
    torch.testing.assert_close(*results)


def test_log_alpha() -> None:
    """Of the CPU's shape and values; what the CPU leaves unwritten is -inf. Either feeds either backward."""
    x, targets = log_probs(6, 3, 5), torch.tensor([[1, 4, 4, 1], [2, 3, 1, 1], [2, 2, 2, 2]])
    arguments = (targets, [6, 4, 0], [2, 3, 1], 0, False)
    loss, log_alpha = aten._ctc_loss(x, *arguments)
    on_mps = (targets.to("mps"), *arguments[1:])
    mps_loss, mps_log_alpha = aten._ctc_loss(x.to("mps"), *on_mps)
    assert mps_log_alpha.shape == log_alpha.shape == (3, 6, 7)
    written = torch.zeros(3, 6, 7, dtype=torch.bool)
    written[0, :6, :5] = written[1, :4, :7] = True
    torch.testing.assert_close(mps_log_alpha.cpu()[written], log_alpha[written])
    assert (mps_log_alpha.cpu()[~written] == -INF).all()

    ones = torch.ones(3)
    expected = aten._ctc_loss_backward(ones, x, *arguments[:3], loss, log_alpha, 0, True)
    from_mps = aten._ctc_loss_backward(ones, x, *arguments[:3], mps_loss.cpu(), mps_log_alpha.cpu(), 0, True)
    to_mps = aten._ctc_loss_backward(
        ones.to("mps"), x.to("mps"), *on_mps[:3], loss.to("mps"), log_alpha.to("mps"), 0, True
    )
    torch.testing.assert_close(from_mps, expected)
    torch.testing.assert_close(to_mps.cpu(), expected)
    # More columns than the longest target needs are as good.
    wide = F.pad(log_alpha, (0, 3), value=NAN)
    for columns in (8, 9, 10):
        found = aten._ctc_loss_backward(
            ones.to("mps"), x.to("mps"), *on_mps[:3], loss.to("mps"), wide[..., :columns].to("mps"), 0, True
        )
        torch.testing.assert_close(found.cpu(), expected)


@pytest.mark.op("aten::_ctc_loss.Tensor", "aten::_ctc_loss_backward.Tensor")
@pytest.mark.parametrize("device", ["cpu", "mps"])
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8])
def test_lengths_as_tensors(dtype: torch.dtype, device: str) -> None:
    batch = 200
    x = log_probs(9, batch, 5)
    targets = torch.randint(1, 5, (batch, 4), generator=torch.Generator().manual_seed(0))
    lists = [[1 + i % 9 for i in range(batch)], [i % 5 for i in range(batch)]]
    lengths = [torch.tensor(values, dtype=dtype) for values in lists]
    ones = torch.ones(batch)
    for labels in (targets, concatenated(targets, lists[1])):
        for zero_infinity in (False, True):
            loss, log_alpha = aten._ctc_loss(x, labels, *lists, 0, zero_infinity)
            expected = aten._ctc_loss_backward(ones, x, labels, *lists, loss, log_alpha, 0, zero_infinity)
            on_device = [tensor.to(device) for tensor in lengths]
            on_mps = aten._ctc_loss.Tensor(x.to("mps"), labels.to("mps"), *on_device, 0, zero_infinity)
            assert on_mps[1].shape == log_alpha.shape
            torch.testing.assert_close(on_mps[0].cpu(), loss)
            with dispatches() as found:
                gradient = aten._ctc_loss_backward.Tensor(
                    ones.to("mps"), x.to("mps"), labels.to("mps"), *on_device, *on_mps, 0, zero_infinity
                )
            assert found == {"_ctc_loss_backward.Tensor": 4 if device == "cpu" else 2}
            torch.testing.assert_close(gradient.cpu(), expected, equal_nan=True)


def copies(call: Callable[[], Any]) -> int:
    """How often a tensor is moved or converted, or a value is read: all that could wait for the device."""
    with torch.autograd.profiler.profile() as profile:
        call()
    keys = {"aten::_to_copy", "aten::_local_scalar_dense", "aten::copy_"}
    return sum(event.count for event in profile.key_averages() if event.key in keys)


def test_nothing_waits() -> None:
    x, targets = log_probs(6, 2, 5).to("mps"), torch.tensor([[1, 4], [2, 3]], device="mps")
    lists = ([6, 5], [2, 1])
    tensors = [torch.tensor(values, device="mps") for values in lists]
    results: list[Any] = []
    assert copies(lambda: results.extend(aten._ctc_loss(x, targets, *lists, 0, False))) == 0
    ones = torch.ones(2, device="mps")
    for lengths, overload in ((lists, "default"), (tensors, "Tensor")):
        backward = getattr(aten._ctc_loss_backward, overload)
        for labels in (targets, concatenated(targets, lists[1])):
            arguments = (ones, x, labels, *lengths, *results, 0, False)
            assert copies(lambda b=backward, a=arguments: b(*a)) == 0


def test_lengths_on_the_device_are_clamped() -> None:
    """In backward nobody looks at their values; wrong ones give wrong gradients, never foreign memory."""
    x, targets = log_probs(6, 2, 5).to("mps"), torch.tensor([[1, 4, 2], [2, 3, 1]], device="mps")
    outputs = aten._ctc_loss(x, targets, [6, 6], [3, 3], 0, False)
    ones = torch.ones(2, device="mps")
    for labels in (targets, targets.flatten(), targets[:, :2].flatten()):
        for lengths in ([2**40, -5], [-1, 7], [0, 2**62]):
            wrong = torch.tensor(lengths, device="mps")
            right = torch.tensor([6, 6], device="mps")
            for pair in ((wrong, right), (right, wrong), (wrong, wrong)):
                aten._ctc_loss_backward.Tensor(ones, x, labels, *pair, *outputs, 0, False)


@pytest.mark.parametrize("label", [-1, 5, 2**31, 2**32 + 1, -(2**63)])
def test_labels_out_of_range(label: int) -> None:
    """The CPU kernel reads whatever is there. Here loss and gradient of that item are NaN."""
    x, targets = log_probs(6, 2, 5), torch.tensor([[1, 4, 2], [2, 3, 1]])
    expected = loss_and_gradient(x, "cpu", torch.float32, targets, [6, 6], [3, 3], reduction="none")
    targets[0, 1] = label
    actual = loss_and_gradient(x, "mps", torch.float32, targets, [6, 6], [3, 3], reduction="none")
    assert actual[0][0].isnan()
    assert actual[1][:, 0].isnan().all()
    torch.testing.assert_close(actual[0][1].cpu(), expected[0][1])
    torch.testing.assert_close(actual[1][:, 1].cpu(), expected[1][:, 1])


def test_blank_among_the_targets() -> None:
    """Not meant to be, but computed: its states are the blank's. The CPU forgets one at the last step."""
    x, targets = log_probs(7, 1, 4), torch.tensor([[1, 0, 2, 0]])
    loss, gradient = loss_and_gradient(x, "mps", torch.float32, targets, [7], [4], reduction="none")
    expected = loss_and_gradient(x, "cpu", torch.float64, targets, [7], [4], reduction="none")
    torch.testing.assert_close(loss.cpu(), expected[0].float())
    torch.testing.assert_close(gradient.cpu()[:6], expected[1][:6].float())
    # exp(x) sums to 1, and so do the probabilities of the states of a step.
    torch.testing.assert_close(gradient.cpu().sum(2), torch.zeros(7, 1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_special_values(value: float, zero_infinity: bool) -> None:
    """One of them anywhere: in labels of the target, the blank, and others."""
    targets = torch.tensor([[1, 2, 1]])
    for time, label in itertools.product((0, 3, 5), range(4)):
        x = log_probs(6, 1, 4)
        x[time, 0, label] = value
        results = [
            loss_and_gradient(
                x, device, torch.float32, targets, [6], [3], reduction="none", zero_infinity=zero_infinity
            )
            for device in ("mps", "cpu")
        ]
        for actual, expected in zip(*results, strict=True):
            torch.testing.assert_close(actual.cpu(), expected, equal_nan=True)


def test_signed_zero() -> None:
    """Nothing said by no input has probability 1: the CPU's -log(1) is -0."""
    loss = F.ctc_loss(
        log_probs(3, 1, 4).to("mps"), torch.empty(1, 0, dtype=torch.long), [0], [0], reduction="none"
    )
    assert loss.item() == 0
    assert loss.signbit().item()


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_module(reduction: str, zero_infinity: bool) -> None:
    """nn.CTCLoss as in its documentation, forward and backward: no op leaves the device."""
    loss = torch.nn.CTCLoss(reduction=reduction, zero_infinity=zero_infinity)
    generator = torch.Generator().manual_seed(0)
    time, batch, labels, longest = 50, 16, 20, 30
    input_lengths = torch.randint(20, time + 1, (batch,), generator=generator)
    target_lengths = torch.randint(1, longest, (batch,), generator=generator)
    targets = torch.randint(1, labels, (batch, longest), generator=generator)
    logits = torch.randn(time, batch, labels, generator=generator)
    for kind in (torch.int64, torch.int32):
        lengths = (input_lengths.to(kind), target_lengths.to(kind))
        for labels_of in (targets, concatenated(targets, target_lengths.tolist())):
            results = []
            for device, dtype in (("mps", torch.float32), ("cpu", torch.float32), ("cpu", torch.float64)):
                x = logits.to(device, dtype).requires_grad_()
                with oc.no_fallbacks():
                    out = loss(x.log_softmax(2), labels_of.to(device, kind), *(n.to(device) for n in lengths))
                    (gradient,) = torch.autograd.grad(out, x, torch.ones_like(out))
                results.append((out.detach(), gradient))
            for what, *each in zip(("loss", "gradient"), *results, strict=True):
                oc.assert_matches(*each, what)


def test_nothing_ran_on_the_cpu() -> None:
    assert not any("ctc" in name for name in mpsops.cpu_path_calls())


@pytest.mark.parametrize("lengths", [(7, 3), (torch.tensor(7), torch.tensor(3)), ([7], [3])])
def test_unbatched(lengths: tuple[Any, Any]) -> None:
    x, targets = log_probs(7, 1, 5).squeeze(1), torch.tensor([1, 4, 4])
    lengths = tuple((n,) if isinstance(n, int) else n for n in lengths)
    for reduction in ("none", "mean", "sum"):
        check(x, targets, *lengths, reduction=reduction)


def test_targets_on_the_cpu() -> None:
    """torch moves them itself."""
    x, targets = log_probs(7, 2, 5), torch.tensor([[1, 4, 4], [2, 3, 1]])
    actual = F.ctc_loss(x.to("mps"), targets, [7, 6], [3, 2])
    torch.testing.assert_close(actual.cpu(), F.ctc_loss(x, targets, [7, 6], [3, 2]))


def test_deterministic() -> None:
    """No atomics: allowed where CUDA's kernel is not, and the same bits every time."""
    x = log_probs(60, 4, 3).to("mps")
    targets = torch.randint(1, 3, (4, 25), device="mps")
    arguments = ([60, 55, 60, 60], [25, 25, 10, 24])
    torch.use_deterministic_algorithms(True)
    try:
        results = [loss_and_gradient(x, "mps", torch.float32, targets, *arguments) for _ in range(4)]
    finally:
        torch.use_deterministic_algorithms(False)
    for loss, gradient in results[1:]:
        assert torch.equal(loss, results[0][0])
        assert torch.equal(gradient, results[0][1])


def test_many_steps() -> None:
    """Rounding errors add up over time no faster than on the CPU."""
    check(log_probs(3000, 1, 20), torch.arange(1, 20).repeat(2)[None], [3000], [38], reduction="none")


X = log_probs(5, 2, 4)
Y = torch.tensor([[1, 2], [3, 1]])
ONES = torch.ones(2)


def forward(device: str, **changed: Any) -> Any:
    arguments = {"x": X, "y": Y, "inputs": [5, 5], "labels": [2, 2], "blank": 0, **changed}
    moved = [a.to(device) if isinstance(a, torch.Tensor) else a for a in arguments.values()]
    overload = aten._ctc_loss.Tensor if isinstance(arguments["inputs"], torch.Tensor) else aten._ctc_loss
    return overload(*moved, False)


def backward(device: str, **changed: Any) -> Any:
    loss, log_alpha = aten._ctc_loss(X, Y, [5, 5], [2, 2], 0, False)
    arguments = {
        "grad": ONES, "x": X, "y": Y, "inputs": [5, 5], "labels": [2, 2], "loss": loss, "alpha": log_alpha,
        "blank": 0, **changed,
    }  # fmt: skip
    moved = [a.to(device) if isinstance(a, torch.Tensor) else a for a in arguments.values()]
    tensors = isinstance(arguments["inputs"], torch.Tensor)
    overload = aten._ctc_loss_backward.Tensor if tensors else aten._ctc_loss_backward.default
    return overload(*moved, False)


FIVE, TWO = torch.tensor([5, 5]), torch.tensor([2, 2])
# Each is accepted or refused as on the CPU, word for word.
CALLS: dict[str, Callable[[str], Any]] = {
    "half": lambda d: forward(d, x=X.half()),
    "long": lambda d: forward(d, x=X.long()),
    "no time": lambda d: forward(d, x=X[:0]),
    "no batch": lambda d: forward(d, x=X[:, :0], y=Y[:0], inputs=[], labels=[]),
    "no labels": lambda d: forward(d, x=X[..., :0]),
    "no time, half": lambda d: forward(d, x=X[:0].half()),
    "no time, 2-d": lambda d: forward(d, x=X[0, :0]),
    "2-d": lambda d: forward(d, x=X[0]),
    "3-d targets": lambda d: forward(d, y=Y[None]),
    "0-d targets": lambda d: forward(d, y=Y[0, 0]),
    "blank too large": lambda d: forward(d, blank=4),
    "blank negative": lambda d: forward(d, blank=-1),
    "few input lengths": lambda d: forward(d, inputs=[5]),
    "few target lengths": lambda d: forward(d, labels=[2]),
    "input length too large": lambda d: forward(d, inputs=[5, 6]),
    "input length negative": lambda d: forward(d, inputs=[5, -1]),
    "target length too large": lambda d: forward(d, labels=[2, 3]),
    "target length negative": lambda d: forward(d, labels=[2, -1]),
    "lengths both wrong": lambda d: forward(d, inputs=[9, -1], labels=[2, -1]),
    "few targets": lambda d: forward(d, y=Y[0]),
    "many targets": lambda d: forward(d, y=Y.repeat(2, 1).flatten()),
    "concatenated, length negative": lambda d: forward(d, y=Y[0], labels=[3, -1]),
    "rows of targets": lambda d: forward(d, y=Y[:1]),
    "no targets": lambda d: forward(d, y=Y[:, :0], labels=[0, 0]),
    "no targets, concatenated": lambda d: forward(d, y=Y[0, :0], labels=[0, 0]),
    "float lengths": lambda d: forward(d, inputs=FIVE.float(), labels=TWO),
    "bool lengths": lambda d: forward(d, inputs=FIVE, labels=TWO.bool()),
    "2-d lengths": lambda d: forward(d, inputs=FIVE[None], labels=TWO[:, None])[0],
    "few lengths": lambda d: forward(d, inputs=FIVE[:1], labels=TWO),
    "backward": backward,
    "backward half": lambda d: backward(d, x=X.half()),
    "backward 2-d": lambda d: backward(d, x=X[0]),
    "backward 0-d targets": lambda d: backward(d, y=Y[0, 0]),
    "backward short targets": lambda d: backward(d, y=Y.short()),
    "backward float targets": lambda d: backward(d, y=Y.float()),
    "backward 0-d grad": lambda d: backward(d, grad=ONES[0]),
    "backward half grad": lambda d: backward(d, grad=ONES.half()),
    "backward 2-d alpha": lambda d: backward(d, alpha=torch.ones(5, 5)),
    "backward half alpha": lambda d: backward(d, alpha=torch.ones(2, 5, 5).half()),
    "backward 0-d loss": lambda d: backward(d, loss=ONES[0]),
    "backward half loss": lambda d: backward(d, loss=ONES.half()),
    "backward half of all": lambda d: backward(
        d, grad=ONES.half(), loss=ONES.half(), alpha=torch.ones(2, 5).half()
    ),
    "backward half of all but 2-d alpha": lambda d: backward(
        d, grad=ONES[0].half(), loss=ONES.half(), alpha=torch.ones(2, 5, 5).half(), y=Y.short()
    ),
    "backward short targets, 0-d grad": lambda d: backward(d, grad=ONES[0], y=Y.short()),
    "backward float lengths": lambda d: backward(d, inputs=FIVE.float(), labels=TWO),
    "backward bool lengths": lambda d: backward(d, inputs=FIVE, labels=TWO.bool()),
    "backward 2-d lengths": lambda d: backward(d, inputs=FIVE[None], labels=TWO[:, None]),
}


@pytest.mark.parametrize("name", CALLS)
def test_as_on_the_cpu(name: str) -> None:
    oc.assert_as_on_the_cpu(CALLS[name])


@pytest.mark.parametrize("dtype", ["Float", "Short"])
def test_dtype_of_targets(dtype: str) -> None:
    """The CPU's words, about a tensor on mps."""
    text = (
        f"Expected tensor for argument #2 'targets' to have scalar type Int; but got MPS{dtype}Type instead "
    )
    with pytest.raises(RuntimeError, match=text):
        forward("mps", y=Y.type(f"torch.{dtype}Tensor"))


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"alpha": torch.ones(2, 4, 5)}, r"log_alpha must be of size \[2, 5, 2 \* max_target_length \+ 1\]"),
        ({"alpha": torch.ones(1, 5, 5)}, "log_alpha must be of size"),
        ({"alpha": torch.ones(2, 5, 0)}, "log_alpha must be of size"),
        ({"alpha": torch.ones(2, 5, 3)}, "log_alpha must have at least 5 columns, got 3"),
        ({"grad": torch.ones(1)}, "grad and neg_log_likelihood must be of size"),
        ({"loss": torch.ones(3)}, "grad and neg_log_likelihood must be of size"),
        ({"blank": 4}, "blank must be in label range"),
        ({"inputs": [5]}, "input_lengths must be of size batch_size"),
        ({"inputs": FIVE[:1], "labels": TWO}, "input_lengths must be of size batch_size"),
        ({"labels": [2, 3]}, "Expected tensor to have size at least 3 at dimension 1, but got size 2"),
        ({"inputs": [6, 5]}, "Expected input_lengths to have value at most 5, but got value 6"),
        ({"y": Y[None]}, "Expected 1 to 2 dimensions, but got 3-dimensional tensor for argument #2"),
        ({"x": X[:0], "inputs": [0, 0]}, "log_alpha must be of size"),
    ],
)
def test_checks_of_our_own(changed: dict[str, Any], text: str) -> None:
    """In backward the CPU kernel reads on behind what is too small."""
    with pytest.raises(RuntimeError, match=text):
        backward("mps", **changed)


def test_other_devices() -> None:
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        aten._ctc_loss(X.to("mps"), Y, [5, 5], [2, 2], 0, False)
    outputs = aten._ctc_loss(X.to("mps"), Y.to("mps"), [5, 5], [2, 2], 0, False)
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        aten._ctc_loss_backward(ONES, X.to("mps"), Y.to("mps"), [5, 5], [2, 2], *outputs, 0, False)
