"""The overloads of csrc/ops/torch_overloads.cpp alone: torch's entries would test its own kernels again."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.testing import make_tensor
from torch.testing._internal.common_dtype import (
    all_types_and,
    floating_and_complex_types_and,
    floating_types_and,
)
from torch.testing._internal.opinfo.core import ErrorInput, OpInfo, SampleInput

SHAPES = ((), (1,), (7,), (3, 4), (2, 3, 4))
ALL = all_types_and(torch.half, torch.bfloat16, torch.bool)
Samples = Iterator[SampleInput]


def into_out(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """The function's out= form also where the caller brings no output."""

    def op(x: torch.Tensor, *args: Any, out: torch.Tensor | None = None, **kwargs: Any) -> torch.Tensor:
        real = x.dtype.to_real() if function in {torch.std, torch.var} else x.dtype
        return function(x, *args, out=x.new_empty(0, dtype=real) if out is None else out, **kwargs)

    return op


def aminmax(x: torch.Tensor, *args: Any) -> tuple[torch.Tensor, torch.Tensor]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="_aminmax is deprecated")
        return torch._aminmax(x, *args)


def logit(x: torch.Tensor, eps: float | None = None) -> torch.Tensor:
    return x.clone().logit_(eps)


def samples_of(arguments: Callable[[torch.Tensor], Iterator[Any]], **values: Any) -> Callable[..., Samples]:
    """Tensors of a few shapes, with the arguments that `arguments` has for each."""

    def sample_inputs(
        op_info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **_: Any
    ) -> Samples:
        for shape in SHAPES:
            x = make_tensor(shape, dtype=dtype, device=device, **values)
            for args, kwargs in arguments(x):
                yield SampleInput(x.clone().requires_grad_(requires_grad), args=args, kwargs=kwargs)

    return sample_inputs


def of_aminmax(x: torch.Tensor) -> Iterator[Any]:
    yield (), {}
    for dim in (0, -1):
        yield (dim,), {}
        yield (dim, True), {}


def of_logit(x: torch.Tensor) -> Iterator[Any]:
    yield (), {}
    yield (0.2,), {}


def of_minimum(x: torch.Tensor) -> Iterator[Any]:
    yield (), {}


def of_narrow_copy(x: torch.Tensor) -> Iterator[Any]:
    for dim in range(x.dim()):
        size = x.shape[dim]
        yield (dim, 0, size), {}
        yield (dim - x.dim(), -1, 1), {}
        yield (dim, size, 0), {}


def of_variance(x: torch.Tensor) -> Iterator[Any]:
    if x.numel() > 1:
        yield (), {"dim": None}
        yield (), {"dim": None, "correction": 0, "keepdim": True}
    if x.dim() > 1:
        yield (0,), {}
        yield ((0, -1),), {"correction": 2}


def errors_of_aminmax(op_info: OpInfo, device: str, **_: Any) -> Iterator[ErrorInput]:
    x = torch.ones(2, 0, device=device)
    yield ErrorInput(SampleInput(x), error_regex="over an empty dimension")
    yield ErrorInput(SampleInput(x, args=(1,)), error_type=IndexError, error_regex="to have non-zero size")
    yield ErrorInput(SampleInput(x, args=(2,)), error_type=IndexError, error_regex="Dimension out of range")


def errors_of_minimum(op_info: OpInfo, device: str, **_: Any) -> Iterator[ErrorInput]:
    out = torch.empty((), dtype=torch.int32, device=device)
    yield ErrorInput(SampleInput(torch.ones(2, device=device), kwargs={"out": out}), error_regex="canCast")


def errors_of_narrow_copy(op_info: OpInfo, device: str, **_: Any) -> Iterator[ErrorInput]:
    x = torch.ones(2, 3, device=device)
    yield ErrorInput(SampleInput(x[0, 0], args=(0, 0, 1)), error_regex="0-dim tensor")
    yield ErrorInput(SampleInput(x, args=(1, 2, 2)), error_regex="exceeds dimension size")
    yield ErrorInput(SampleInput(x, args=(1, 2, -1)), error_regex="exceeds dimension size")
    yield ErrorInput(SampleInput(x, args=(0, 3, 0)), error_type=IndexError, error_regex="start out of range")
    yield ErrorInput(SampleInput(x, args=(2, 0, 0)), error_regex="Expected dim <")
    yield ErrorInput(SampleInput(x, args=(-3, 0, 0)), error_type=IndexError, error_regex="Dimension out of")
    out = torch.empty(2, 1, dtype=torch.int32, device=device)
    yield ErrorInput(SampleInput(x, args=(1, 0, 1), kwargs={"out": out}), error_regex="output.dtype")


def errors_of_variance(op_info: OpInfo, device: str, **_: Any) -> Iterator[ErrorInput]:
    x = torch.ones(2, 3, device=device)
    yield ErrorInput(SampleInput(x.int(), kwargs={"dim": 0}), error_regex="only support floating point")
    yield ErrorInput(SampleInput(x, kwargs={"dim": 2}), error_type=IndexError, error_regex="out of range")
    out = torch.empty(3, dtype=torch.int32, device=device)
    yield ErrorInput(SampleInput(x, args=(0,), kwargs={"out": out}), error_regex="can't be cast")
    out = torch.empty(3, dtype=torch.complex64, device=device)
    yield ErrorInput(
        SampleInput(x, args=(0,), kwargs={"out": out}),
        error_type=NotImplementedError,
        error_regex="not implemented for 'ComplexFloat'",
    )


def entry(name: str, op: Callable[..., Any], arguments: Any, errors: Any = None, **kwargs: Any) -> OpInfo:
    return OpInfo(
        name,
        op=op,
        sample_inputs_func=samples_of(arguments, **kwargs.pop("values", {})),
        error_inputs_func=errors,
        **{"supports_out": True, "supports_autograd": False, "dtypes": ALL, **kwargs},
    )


op_db = [
    entry("_aminmax", aminmax, of_aminmax, errors_of_aminmax, supports_out=False),
    entry("min_unary_out", into_out(torch.min), of_minimum, errors_of_minimum),
    entry("max_unary_out", into_out(torch.max), of_minimum, errors_of_minimum),
    entry(
        "logit_",
        logit,
        of_logit,
        values={"low": 0.01, "high": 0.99},
        dtypes=floating_types_and(torch.half, torch.bfloat16),
        supports_out=False,
        supports_autograd=True,
    ),
    entry("narrow_copy_out", into_out(torch.narrow_copy), of_narrow_copy, errors_of_narrow_copy),
    *(
        entry(
            f"{function.__name__}_correction_out",
            into_out(function),
            of_variance,
            errors_of_variance,
            dtypes=floating_and_complex_types_and(torch.half, torch.bfloat16),
        )
        for function in (torch.std, torch.var)
    ),
]
