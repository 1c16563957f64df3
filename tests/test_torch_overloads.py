"""Overloads that torch lacks beside its own kernels: what their samples leave out."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

pytestmark = pytest.mark.filterwarnings("ignore:_aminmax is deprecated")
X = torch.tensor([[1.0, 5.0, 2.0], [4.0, 0.5, 3.0]])


def both(call: Callable[[Callable[..., torch.Tensor]], Any]) -> None:
    """`call` moves its tensors by the function that it gets; the results are the same on both devices."""
    expected = call(lambda t: t.clone())
    actual = call(lambda t: t.to("mps"))
    assert actual.device.type == "mps"
    torch.testing.assert_close(actual.cpu(), expected, equal_nan=True)


@pytest.mark.parametrize("function", [torch.min, torch.max])
@pytest.mark.parametrize(
    ("dtype", "out"),
    [
        (torch.float32, torch.float16),
        (torch.int32, torch.float32),
        (torch.bool, torch.int64),
        (torch.int64, torch.int8),
        (torch.float32, torch.complex64),
    ],
)
def test_extrema_in_another_dtype(function: Any, dtype: torch.dtype, out: torch.dtype) -> None:
    both(lambda move: function(move(X.to(dtype)), out=move(torch.empty((), dtype=out))))


@pytest.mark.parametrize("function", [torch.min, torch.max])
@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.bfloat16, torch.int64, torch.uint8, torch.bool], ids=str
)
def test_extrema_of_nothing(function: Any, dtype: torch.dtype) -> None:
    both(lambda move: function(move(X[:0].to(dtype)), out=move(torch.empty((), dtype=dtype))))


@pytest.mark.parametrize("function", [torch.min, torch.max])
def test_extrema_of_nan(function: Any) -> None:
    both(lambda move: function(move(torch.tensor([1.0, torch.nan, 2.0])), out=move(torch.empty(()))))
    both(lambda move: torch._aminmax(move(torch.tensor([1.0, torch.nan, 2.0])))[0])


@pytest.mark.parametrize("function", [torch.std, torch.var])
@pytest.mark.parametrize(
    ("dtype", "out"),
    [
        (torch.float32, torch.float16),
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.complex64, torch.complex64),
        (torch.complex64, torch.float32),
    ],
)
def test_variance_in_another_dtype(function: Any, dtype: torch.dtype, out: torch.dtype) -> None:
    x = torch.complex(X, X.flip(0)) if dtype.is_complex else X.to(dtype)
    both(lambda move: function(move(x), dim=1, out=move(torch.empty(2, dtype=out))))
    both(lambda move: function(move(x.t()), 0, True, out=move(torch.empty(2, 2, dtype=out)[0])))


@pytest.mark.parametrize("function", [torch.std, torch.var])
@pytest.mark.filterwarnings("ignore:.*degrees of freedom is <= 0")
def test_variance_of_too_little(function: Any) -> None:
    both(lambda move: function(move(X[:1]), dim=0, out=move(torch.empty(3))))
    both(lambda move: function(move(X[:0]), dim=0, out=move(torch.empty(3))))


def test_aminmax_out() -> None:
    out0, out1 = torch.empty(3, device="mps"), torch.empty(3, device="mps")
    torch.ops.aten._aminmax.dim_out(X.to("mps"), 0, out0=out0, out1=out1)
    assert (out0.tolist(), out1.tolist()) == ([1.0, 0.5, 2.0], [4.0, 5.0, 3.0])


def test_logit_of_strided() -> None:
    both(lambda move: move(X / 10).t()[1:].logit_(1e-3))


def test_narrow_copy_does_not_alias() -> None:
    x = X.to("mps")
    out = torch.empty(2, 2, device="mps")
    torch.narrow_copy(x, 1, -2, 2, out=out)
    x.zero_()
    assert out.tolist() == [[5.0, 2.0], [0.5, 3.0]]


ERRORS: dict[str, Callable[[str], Any]] = {
    "min of complex": lambda d: torch.min(
        torch.ones(2, dtype=torch.complex64, device=d), out=torch.ones((), dtype=torch.complex64, device=d)
    ),
    "max of uint16": lambda d: torch.max(
        torch.ones(2, dtype=torch.uint16, device=d), out=torch.ones((), dtype=torch.uint16, device=d)
    ),
    "logit_ of integers": lambda d: torch.ones(2, dtype=torch.int32, device=d).logit_(),
    "logit_ of expanded": lambda d: torch.ones(1, device=d).expand(2).logit_(),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_as_on_the_cpu(name: str) -> None:
    texts = []
    for device in ("cpu", "mps"):
        with pytest.raises((RuntimeError, NotImplementedError)) as error:
            ERRORS[name](device)
        texts.append((type(error.value), str(error.value)))
    assert texts[0] == texts[1]


def test_outputs_on_another_device() -> None:
    x = X.to("mps")
    for call in (
        lambda: torch.std(x, dim=0, out=torch.empty(3)),
        lambda: torch.var(x, dim=0, out=torch.empty(3)),
        lambda: torch.min(x, out=torch.empty(())),
        lambda: torch.narrow_copy(x, 0, 0, 1, out=torch.empty(1, 3)),
    ):
        with pytest.raises(RuntimeError):
            call()
