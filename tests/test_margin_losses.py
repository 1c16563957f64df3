"""Margin losses beyond OpInfo's samples: out= forms, long rows, partial sums, bad input, NaN."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import mpsops
import op_cases as oc

aten = torch.ops.aten
NONE, MEAN, SUM = 0, 1, 2
REDUCTIONS = ("none", "mean", "sum")
# Below, at and above a team's, a simdgroup's and a group's number of lanes.
COLUMNS = (1, 2, 3, 17, 31, 32, 33, 300, 1024, 1025, 3000)


def move(value: Any, device: str) -> Any:
    return value.to(device) if isinstance(value, torch.Tensor) else value


def close(actual: torch.Tensor, reference: torch.Tensor) -> None:
    assert actual.device.type == "mps"
    torch.testing.assert_close(actual.cpu(), reference.to(actual.dtype))


def random_labels(rows: int, columns: int) -> torch.Tensor:
    """Lists of targets of every length, some with duplicates, some without an end."""
    labels = torch.randint(0, columns, (rows, columns))
    for row, length in enumerate(torch.randint(0, columns + 1, (rows,)).tolist()):
        labels[row, length : length + 1] = -1
    return labels


def dispatches(name: str) -> int:
    return next(row.dispatches for row in mpsops.ops() if row.name == name)


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_multi_margin_loss(reduction: str, columns: int) -> None:
    rows = 37
    target = torch.randint(0, columns, (rows,))
    for p, margin, weighted in itertools.product((1, 2), (1.0, -0.5), (False, True)):
        input = torch.randn(rows, columns, requires_grad=True)
        weight = torch.rand(columns) if weighted else None
        results = []
        for device, dtype in (("mps", torch.float32), ("cpu", torch.float64)):
            x = input.detach().to(device, dtype).requires_grad_()
            w = None if weight is None else weight.to(device, dtype)
            loss = F.multi_margin_loss(x, target.to(device), p, margin, w, reduction=reduction)
            (gradient,) = torch.autograd.grad(loss, x, torch.ones_like(loss) * 3)
            results.append((loss, gradient))
        for actual, reference in zip(*results, strict=True):
            close(actual, reference)


@pytest.mark.parametrize("columns", COLUMNS[:8])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_multilabel_margin_loss(reduction: str, columns: int) -> None:
    rows = 9
    target = random_labels(rows, columns)
    input = torch.randn(rows, columns)
    results = []
    for device, dtype in (("mps", torch.float32), ("cpu", torch.float64)):
        x = input.to(device, dtype).requires_grad_()
        number = REDUCTIONS.index(reduction)
        loss, is_target = aten.multilabel_margin_loss_forward(x, target.to(device), number)
        (gradient,) = torch.autograd.grad(loss, x, torch.ones_like(loss) * 3)
        results.append((loss, is_target, gradient))
    for actual, reference in zip(*results, strict=True):
        close(actual, reference)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_strided_operands(reduction: str) -> None:
    """Nothing is copied to be contiguous: input, target, weight and the gradient bind as they are."""
    input = torch.randn(10, 12, 2)[..., 1].t()
    target = torch.randint(0, 10, (12, 3))[:, 1]
    labels = random_labels(10, 12).t().clamp(max=9)
    weight = torch.rand(10, 2)[:, 0]
    for loss, args in (
        (F.multi_margin_loss, {"target": target, "weight": weight}),
        (F.multilabel_margin_loss, {"target": labels}),
    ):
        results = []
        for device in ("mps", "cpu"):
            x = move(input, device).requires_grad_()
            out = loss(x, **{k: move(v, device) for k, v in args.items()}, reduction=reduction)
            shape = out.shape
            cotangent = torch.arange(2.0, 26.0, 2, device=device)[: max(out.numel(), 1) * 2 : 2]
            cotangent = torch.arange(48.0, device=device)[: out.numel() * 2 : 2].view(shape)
            (gradient,) = torch.autograd.grad(out, x, cotangent + 1)
            results.append((out.detach(), gradient))
        for actual, reference in zip(*results, strict=True):
            close(actual, reference)


def test_sums_over_many_groups() -> None:
    """Two dispatches, the same bits every time; one dispatch where one group is enough."""
    input = torch.randn(5000, 40)
    target = torch.randint(0, 40, (5000,))
    on_mps = input.to("mps"), target.to("mps")
    for reduction in ("mean", "sum"):
        mpsops.reset_counts()
        first = F.multi_margin_loss(*on_mps, reduction=reduction)
        assert dispatches("aten::multi_margin_loss") == 2
        close(first, F.multi_margin_loss(input.double(), target, reduction=reduction))
        for _ in range(3):
            assert torch.equal(first, F.multi_margin_loss(*on_mps, reduction=reduction))
    mpsops.reset_counts()
    F.multi_margin_loss(on_mps[0][:100], on_mps[1][:100])
    assert dispatches("aten::multi_margin_loss") == 1

    labels = random_labels(700, 40)
    for rows, expected in ((700, 2), (1, 1)):
        mpsops.reset_counts()
        actual = F.multilabel_margin_loss(on_mps[0][:rows], labels[:rows].to("mps"))
        assert dispatches("aten::multilabel_margin_loss_forward") == expected
        close(actual, F.multilabel_margin_loss(input[:rows].double(), labels[:rows]))


X = torch.tensor([[0.5, 1.0, -2.0], [0.0, 0.25, 3.0]])
Y = torch.tensor([2, 0])
LABELS = torch.tensor([[1, -1, 7], [0, 2, -1]]).clamp(max=2)
MARKS = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
ONE = torch.ones(())

# Each is accepted or refused as on the CPU, word for word.
CALLS: dict[str, Callable[..., Any]] = {
    "p": lambda d: aten.multi_margin_loss(X.to(d), Y.to(d), 3),
    "p fraction": lambda d: aten.multi_margin_loss(X.to(d), Y.to(d), 1.5),
    "p nan": lambda d: aten.multi_margin_loss(X.to(d), Y.to(d), float("nan")),
    "margin too large": lambda d: aten.multi_margin_loss(X.to(d), Y.to(d), 1, 1e300),
    "3-d input": lambda d: aten.multi_margin_loss(X[None].to(d), Y.to(d)),
    "no classes": lambda d: aten.multi_margin_loss(X[:, :0].to(d), Y.to(d)),
    "short target": lambda d: aten.multi_margin_loss(X.to(d), Y[:1].to(d)),
    "2-d target": lambda d: aten.multi_margin_loss(X.to(d), Y[:, None].to(d)),
    "int target": lambda d: aten.multi_margin_loss(X.to(d), Y.int().to(d)),
    "target too large": lambda d: aten.multi_margin_loss(X.to(d), (Y + 1).to(d)),
    "target negative": lambda d: aten.multi_margin_loss(X.to(d), (Y - 1).to(d)),
    "target far off, none": lambda d: aten.multi_margin_loss(X.to(d), (Y + 2**40).to(d), 1, 1, None, NONE),
    "half": lambda d: aten.multi_margin_loss(X.half().to(d), Y.to(d)),
    "long": lambda d: aten.multi_margin_loss(X.long().to(d), Y.to(d)),
    "weight size": lambda d: aten.multi_margin_loss(X.to(d), Y.to(d), 1, 1, torch.ones(2).to(d)),
    "weight dtype": lambda d: aten.multi_margin_loss(X.to(d), Y.to(d), 1, 1, torch.ones(3).half().to(d)),
    "unknown reduction": lambda d: aten.multi_margin_loss(X.to(d), Y.to(d), 1, 1, None, 7),
    "0-d": lambda d: aten.multi_margin_loss(X[0, 0].to(d), Y[1].to(d), 1, 1, None, NONE),
    "0-d input, 1-d target": lambda d: aten.multi_margin_loss(X[0, 0].to(d), Y[1:].to(d), 1, 1, None, NONE),
    "1-d input, 0-d target": lambda d: aten.multi_margin_loss(X[0].to(d), Y[1].to(d), 1, 1, None, NONE),
    "1-d input, 1-d target": lambda d: aten.multi_margin_loss(X[0].to(d), Y[1:].to(d), 1, 1, None, NONE),
    "1 row, 0-d target": lambda d: aten.multi_margin_loss(X[:1].to(d), Y[1].to(d), 1, 1, None, NONE),
    "no rows": lambda d: aten.multi_margin_loss(X[:0].to(d), Y[:0].to(d), 1, 1, None, NONE),
    "out dtype": lambda d: aten.multi_margin_loss.out(X.to(d), Y.to(d), out=torch.ones(()).half().to(d)),
    "backward target": lambda d: aten.multi_margin_loss_backward(ONE.to(d), X.to(d), (Y + 1).to(d), 1, 1),
    "backward grad dtype": lambda d: aten.multi_margin_loss_backward(
        ONE.half().to(d), X.to(d), Y.to(d), 1, 1
    ),
    "backward grad dim": lambda d: aten.multi_margin_loss_backward(
        X.to(d), X.to(d), Y.to(d), 1, 1, None, NONE
    ),
    "backward one grad for all rows": lambda d: aten.multi_margin_loss_backward(
        ONE.to(d), X.to(d), Y.to(d), 2, 1, None, NONE
    ),
    "backward first of many grads": lambda d: aten.multi_margin_loss_backward(
        X[1].to(d) + 2, X.to(d), Y.to(d), 1, 1, None, SUM
    ),
    "backward infinite grad": lambda d: aten.multi_margin_loss_backward(
        ONE.to(d) / 0, X.to(d), Y.to(d), 1, 1, None, SUM
    ),
    "backward grad_input strides": lambda d: aten.multi_margin_loss_backward.grad_input(
        ONE.to(d), X.to(d), Y.to(d), 1, 1, grad_input=torch.empty(3, 2).to(d).t()
    ),
    "backward grad_input dtype": lambda d: aten.multi_margin_loss_backward.grad_input(
        ONE.to(d), X.to(d), Y.to(d), 1, 1, grad_input=torch.empty(2, 3).half().to(d)
    ),
    "labels": lambda d: aten.multilabel_margin_loss_forward(X.to(d), LABELS.to(d), MEAN),
    "labels 3-d": lambda d: aten.multilabel_margin_loss_forward(X[None].to(d), LABELS[None].to(d), MEAN),
    "labels short": lambda d: aten.multilabel_margin_loss_forward(X.to(d), LABELS[:1].to(d), MEAN),
    "labels 1-d": lambda d: aten.multilabel_margin_loss_forward(X[0].to(d), LABELS.to(d), MEAN),
    "labels int": lambda d: aten.multilabel_margin_loss_forward(X.to(d), LABELS.int().to(d), MEAN),
    "labels too large": lambda d: aten.multilabel_margin_loss_forward(X.to(d), (LABELS + 1).to(d), MEAN),
    "labels too small": lambda d: aten.multilabel_margin_loss_forward(X.to(d), (LABELS - 1).to(d), NONE),
    "labels bad after the end": lambda d: aten.multilabel_margin_loss_forward(
        X.to(d), torch.tensor([[-1, 3, 0], [-1, 0, 0]]).to(d), NONE
    ),
    "labels half": lambda d: aten.multilabel_margin_loss_forward(X.half().to(d), LABELS.to(d), MEAN),
    "labels 0-d": lambda d: aten.multilabel_margin_loss_forward(X[0, 0].to(d), Y[1].to(d), NONE),
    "labels 1-d of one": lambda d: aten.multilabel_margin_loss_forward(X[0, :1].to(d), Y[1].to(d), NONE),
    "labels 1-d row": lambda d: aten.multilabel_margin_loss_forward(X[0].to(d), LABELS[0].to(d), NONE),
    "labels no rows": lambda d: aten.multilabel_margin_loss_forward(X[:0].to(d), LABELS[:0].to(d), NONE),
    "labels no classes": lambda d: aten.multilabel_margin_loss_forward(
        X[:, :0].to(d), LABELS[:, :0].to(d), NONE
    ),
    "labels is_target strides": lambda d: aten.multilabel_margin_loss_forward.output(
        X.to(d), LABELS.to(d), MEAN, output=torch.empty(()).to(d), is_target=torch.empty(3, 2).to(d).t()
    ),
    "labels is_target dtype": lambda d: aten.multilabel_margin_loss_forward.output(
        X.to(d), LABELS.to(d), MEAN, output=torch.empty(()).to(d), is_target=torch.empty(2, 3).long().to(d)
    ),
    "labels backward": lambda d: aten.multilabel_margin_loss_backward(
        X[0, :2].to(d), X.to(d), LABELS.to(d), NONE, MARKS.to(d)
    ),
    "labels backward, marks that are not the targets": lambda d: aten.multilabel_margin_loss_backward(
        ONE.to(d), X.to(d), LABELS.to(d), MEAN, 0.5 - MARKS.to(d).flip(1) / 2
    ),
    "labels backward, marks of another shape": lambda d: aten.multilabel_margin_loss_backward(
        ONE.to(d), X.to(d), LABELS.to(d), MEAN, MARKS[:1].to(d)
    ),
    "labels backward, marks above 1": lambda d: aten.multilabel_margin_loss_backward(
        ONE.to(d), X.to(d), LABELS.to(d), MEAN, MARKS.to(d) * 2
    ),
    "labels backward, marks NaN": lambda d: aten.multilabel_margin_loss_backward(
        ONE.to(d), X.to(d), LABELS.to(d), MEAN, MARKS.to(d) / 0
    ),
    "labels backward, marks and target bad": lambda d: aten.multilabel_margin_loss_backward(
        ONE.to(d), X.to(d), LABELS.to(d) + 1, MEAN, MARKS.to(d) * 2
    ),
    "labels backward, marks long": lambda d: aten.multilabel_margin_loss_backward(
        ONE.to(d), X.to(d), LABELS.to(d), MEAN, MARKS.long().to(d)
    ),
    "labels backward, grad size": lambda d: aten.multilabel_margin_loss_backward(
        X[0].to(d), X.to(d), LABELS.to(d), NONE, MARKS.to(d)
    ),
    "labels backward, grad_input strides": lambda d: aten.multilabel_margin_loss_backward.grad_input(
        ONE.to(d), X.to(d), LABELS.to(d), MEAN, MARKS.to(d), grad_input=torch.empty(3, 2).to(d).t()
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_as_on_the_cpu(name: str) -> None:
    oc.assert_as_on_the_cpu(CALLS[name], equal_nan=True)


def test_a_bad_target_leaves_the_next_call_alone() -> None:
    x, y = X.to("mps"), Y.to("mps")
    expected = F.multi_margin_loss(X, Y)
    for _ in range(3):
        with pytest.raises(RuntimeError, match=r"^target out of range"):
            F.multi_margin_loss(x, y + 1)
        close(F.multi_margin_loss(x, y), expected)


def test_one_bad_target_among_many() -> None:
    x = torch.randn(3000, 10, device="mps")
    for bad in (0, 1499, 2999):
        y = torch.zeros(3000, dtype=torch.long)
        y[bad] = 10
        for reduction in REDUCTIONS:
            with pytest.raises(RuntimeError, match=r"^target out of range"):
                F.multi_margin_loss(x, y.to("mps"), reduction=reduction)
            labels = torch.full((3000, 10), -1)
            labels[bad, 9] = 10
            with pytest.raises(RuntimeError, match=r"^argument #2 'target' is out of range"):
                F.multilabel_margin_loss(x, labels.to("mps"), reduction=reduction)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_nan_and_infinity(reduction: str) -> None:
    inf, nan = float("inf"), float("nan")
    rows = list(itertools.product((nan, inf, -inf, 0.5), repeat=3))
    input = torch.tensor(rows)
    target = torch.arange(len(rows)) % 3
    labels = torch.stack([target, (target + 1) % 3, torch.full_like(target, -1)], 1)
    for loss, y in ((F.multi_margin_loss, target), (F.multilabel_margin_loss, labels)):
        results = []
        for device in ("mps", "cpu"):
            x = input.to(device).requires_grad_()
            out = loss(x, y.to(device), reduction=reduction)
            (gradient,) = torch.autograd.grad(out.sum(), x)
            results.append((out.detach(), gradient))
        for actual, expected in zip(*results, strict=True):
            torch.testing.assert_close(actual.cpu(), expected, equal_nan=True)


def test_no_rows() -> None:
    """The CPU leaves mean and sum of no rows unwritten; here they are those of an empty tensor."""
    x = torch.empty(0, 3, device="mps")
    y = torch.empty(0, dtype=torch.long, device="mps")
    for loss, target in ((F.multi_margin_loss, y), (F.multilabel_margin_loss, y.view(0, 1).expand(0, 3))):
        assert loss(x, target, reduction="none").shape == (0,)
        assert loss(x, target, reduction="sum").item() == 0
        assert loss(x, target, reduction="mean").isnan()
        grad_input = torch.autograd.grad(loss(x.requires_grad_(), target, reduction="sum"), x)[0]
        assert grad_input.shape == (0, 3)


@pytest.mark.op(
    "aten::multi_margin_loss.out",
    "aten::multi_margin_loss_backward.grad_input",
    "aten::multilabel_margin_loss_forward.output",
    "aten::multilabel_margin_loss_backward.grad_input",
)
@pytest.mark.parametrize("reduction", [NONE, MEAN, SUM])
def test_out(reduction: int) -> None:
    """Right size, wrong size, and strided where the CPU allows it."""
    x, y, labels, marks = (t.to("mps") for t in (X, Y, LABELS, MARKS))
    shape = (2,) if reduction == NONE else ()
    losses = [
        torch.full(shape, 9.0, device="mps"),
        torch.full((5,), 9.0, device="mps"),
        torch.full((*shape, 2), 9.0, device="mps")[..., 1],
    ]
    for out in losses:
        assert aten.multi_margin_loss.out(x, y, 1, 1, None, reduction, out=out) is out
        close(out, aten.multi_margin_loss(X, Y, 1, 1, None, reduction))
        is_target = torch.full((2, 3) if out is losses[0] else (1,), 9.0, device="mps")
        results = aten.multilabel_margin_loss_forward.output(
            x, labels, reduction, output=out, is_target=is_target
        )
        assert results[0] is out
        assert results[1] is is_target
        for actual, expected in zip(
            results, aten.multilabel_margin_loss_forward(X, LABELS, reduction), strict=True
        ):
            close(actual, expected)
    for grad_input in (torch.full((2, 3), 9.0, device="mps"), torch.full((1,), 9.0, device="mps")):
        grad = torch.full(shape, 2.0)
        aten.multi_margin_loss_backward.grad_input(
            grad.to("mps"), x, y, 2, 1, None, reduction, grad_input=grad_input
        )
        close(grad_input, aten.multi_margin_loss_backward(grad, X, Y, 2, 1, None, reduction))
        aten.multilabel_margin_loss_backward.grad_input(
            grad.to("mps"), x, labels, reduction, marks, grad_input=grad_input
        )
        close(grad_input, aten.multilabel_margin_loss_backward(grad, X, LABELS, reduction, MARKS))


def test_tensors_of_two_devices() -> None:
    x, y, labels, marks = (t.to("mps") for t in (X, Y, LABELS, MARKS))
    one = ONE.to("mps")
    for call in (
        lambda: aten.multi_margin_loss(x, Y),
        lambda: aten.multi_margin_loss(X, y),
        lambda: aten.multi_margin_loss(x, y, 1, 1, torch.ones(3)),
        lambda: aten.multi_margin_loss_backward(ONE, x, y, 1, 1),
        lambda: aten.multilabel_margin_loss_forward(x, LABELS, MEAN),
        lambda: aten.multilabel_margin_loss_backward(one, x, labels, MEAN, MARKS),
        lambda: aten.multilabel_margin_loss_backward(one, X, labels, MEAN, marks),
    ):
        with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
            call()


def test_grad_output_shorter_than_the_batch() -> None:
    """The CPU kernel reads past its end."""
    x, y = X.to("mps"), Y.to("mps")
    with pytest.raises(RuntimeError, match="grad_output must be of size 2, got"):
        aten.multi_margin_loss_backward(torch.ones(1, device="mps"), x, y, 1, 1, None, NONE)
    with pytest.raises(RuntimeError, match="grad_output must be one value, got"):
        aten.multi_margin_loss_backward(torch.ones(0, device="mps"), x, y, 1, 1, None, MEAN)


@pytest.mark.parametrize(
    ("loss", "values"), [(F.multi_margin_loss, Y), (F.multilabel_margin_loss, LABELS)], ids=["multi", "label"]
)
def test_one_wait_for_a_forward_and_its_backward(loss: Callable[..., Any], values: torch.Tensor) -> None:
    x = X.to("mps").requires_grad_()
    target = values.to("mps")
    losses: list[torch.Tensor] = []
    assert oc.waits(lambda: losses.append(loss(x, target))) == 1
    assert oc.waits(losses[0].backward) == 0
    # Another number of classes, and new values in the same tensor, are checked again.
    with pytest.raises(RuntimeError, match="out of range"):
        loss(x[:, :2], target[..., :2])
    target += 1
    with pytest.raises(RuntimeError, match="out of range"):
        loss(x, target)
    target -= 1
    close(loss(x, target), loss(X, values))
    # Behind autograd's back: not noticed in backward, but never used as an index.
    out = loss(x, target)
    target.data.fill_(2**40)
    out.backward()
    target.data.copy_(values)
    close(loss(x, target.clone()), loss(X, values))
