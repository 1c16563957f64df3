"""_int_mm, and products with ``out_dtype=``, for which the CPU has no kernel: there, of widened operands."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch.testing import make_tensor
from torch.testing._internal.common_dtype import custom_types
from torch.testing._internal.opinfo.core import ErrorInput, OpInfo, SampleInput

Samples = Iterator[SampleInput]
HALVES = (torch.float16, torch.bfloat16)


def int_mm(self: torch.Tensor, mat2: torch.Tensor) -> torch.Tensor:
    """The CPU's kernel leaves its result unwritten where a row of the operand is expanded (stride 0)."""
    if self.device.type == "cpu":
        return torch._int_mm(self.contiguous(), mat2.contiguous())
    return torch._int_mm(self, mat2)


def int_mm_samples(info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **_: Any) -> Samples:
    for rows, inner, columns in [(2, 3, 4), (1, 1, 1), (0, 3, 4), (2, 0, 4), (2, 3, 0), (37, 70, 18)]:
        left = make_tensor(rows, inner, device=device, dtype=dtype)
        right = make_tensor(inner, columns, device=device, dtype=torch.int8)
        yield SampleInput(left, right)
        yield SampleInput(left.t().contiguous().t(), right.t().contiguous().t())


def int_mm_errors(info: OpInfo, device: str, **_: Any) -> Iterator[ErrorInput]:
    def ones(*sizes: int, dtype: torch.dtype = torch.int8) -> torch.Tensor:
        return torch.ones(sizes, dtype=dtype, device=device)

    name = "int_mm_out_cpu: "
    for left, right, text in [
        (ones(2), ones(2, 3), "Expected self to be of dimension 2 but got 1"),
        (ones(2, 2), ones(2, 3, 1), "Expected mat2 to be of dimension 2 but got 3"),
        (ones(2, 3), ones(2, 3), "self.size.1. needs to match mat2.size.0. but got 3 and 2"),
        (ones(2, 3, dtype=torch.int32), ones(3, 2), "Expected self dtype to be int8 or uint8 but got int"),
        (
            ones(2, 3),
            ones(3, 2, dtype=torch.uint8),
            "Expected mat2 dtype to be of type int8 but got unsigned",
        ),
        (ones(2, 3, dtype=torch.int32), ones(2, 2), ""),
        (ones(2, 3), ones(2, 2, dtype=torch.float32), ""),
    ]:
        yield ErrorInput(SampleInput(left, right), error_regex=name + text)


def check(condition: bool, text: str) -> None:
    if not condition:
        raise RuntimeError(text)


def check_out_dtype(operand: torch.Tensor, out_dtype: torch.dtype) -> None:
    check(
        out_dtype == operand.dtype or (out_dtype == torch.float32 and operand.dtype in HALVES),
        "out_dtype must be the same as input dtype or fp32 for fp16/bf16 inputs",
    )


def check_matrices(name: str, left: torch.Tensor, right: torch.Tensor) -> None:
    check(left.dim() == 2, f"{name} must be a matrix, got {left.dim()}-D tensor")
    check(right.dim() == 2, f"mat2 must be a matrix, got {right.dim()}-D tensor")
    shapes = f"{left.shape[0]}x{left.shape[1]} and {right.shape[0]}x{right.shape[1]}"
    check(left.shape[1] == right.shape[0], f"mat1 and mat2 shapes cannot be multiplied ({shapes})")


def widened(out_dtype: torch.dtype, *operands: torch.Tensor) -> list[torch.Tensor]:
    """In float64, which only a reference is computed in, nothing is left to widen."""
    return [x if x.dtype == torch.float64 else x.to(out_dtype) for x in operands]


def mm(self: torch.Tensor, mat2: torch.Tensor, out_dtype: torch.dtype, **kwargs: Any) -> torch.Tensor:
    if self.device.type != "cpu":
        return torch.mm(self, mat2, out_dtype=out_dtype, **kwargs)
    if self.dtype != torch.float64:
        check_matrices("self", self, mat2)
        check(self.dtype == mat2.dtype, "input dtypes must be the same")
        check_out_dtype(self, out_dtype)
    return torch.mm(*widened(out_dtype, self, mat2))


def bmm(self: torch.Tensor, mat2: torch.Tensor, out_dtype: torch.dtype, **kwargs: Any) -> torch.Tensor:
    if self.device.type != "cpu":
        return torch.bmm(self, mat2, out_dtype=out_dtype, **kwargs)
    if self.dtype != torch.float64:
        check(self.dim() == 3, "batch1 must be a 3D tensor")
        check(mat2.dim() == 3, "batch2 must be a 3D tensor")
        wanted, found = [self.shape[0], self.shape[2]], list(mat2.shape[:2])
        text = f"Expected size for first two dimensions of batch2 tensor to be: {wanted} but got: {found}."
        check(wanted == found, text)
        check(self.dtype == mat2.dtype, "batch1 and batch2 must have the same dtype")
        check_out_dtype(self, out_dtype)
    return torch.bmm(*widened(out_dtype, self, mat2))


def addmm(
    self: torch.Tensor, mat1: torch.Tensor, mat2: torch.Tensor, out_dtype: torch.dtype, **kwargs: Any
) -> torch.Tensor:
    if self.device.type != "cpu":
        return torch.addmm(self, mat1, mat2, out_dtype=out_dtype, **kwargs)
    if self.dtype != torch.float64:
        check_matrices("mat1", mat1, mat2)
        same = "mat1 and mat2 must have the same dtype"
        check(mat1.dtype == mat2.dtype, same)
        check_out_dtype(mat1, out_dtype)
        check(self.dtype in {out_dtype, mat1.dtype}, "self dtype must match either out_dtype or mat1 dtype")
    return torch.addmm(*widened(out_dtype, self, mat1, mat2), **kwargs)


def mm_samples(info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **_: Any) -> Samples:
    make = partial(make_tensor, device=device, dtype=dtype)
    for rows, inner, columns in [(2, 3, 4), (1, 1, 1), (0, 3, 4), (2, 0, 4), (2, 3, 0), (37, 70, 18)]:
        left, right = make(rows, inner), make(inner, columns)
        yield SampleInput(left, right, torch.float32)
        yield SampleInput(left.t().contiguous().t(), right.t().contiguous().t(), torch.float32)
    yield SampleInput(make(2, 3), make(3, 4), dtype)


def bmm_samples(info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **_: Any) -> Samples:
    make = partial(make_tensor, device=device, dtype=dtype)
    for batch, rows, inner, columns in [
        (2, 2, 3, 4),
        (0, 2, 3, 4),
        (2, 0, 3, 4),
        (2, 2, 0, 4),
        (3, 18, 35, 5),
    ]:
        left, right = make(batch, rows, inner), make(batch, inner, columns)
        yield SampleInput(left, right, torch.float32)
        yield SampleInput(left.mT.contiguous().mT, right.mT.contiguous().mT, torch.float32)
    yield SampleInput(make(3, 2).expand(2, 3, 2), make(1, 2, 4).expand(2, 2, 4), torch.float32)
    yield SampleInput(make(2, 2, 3), make(2, 3, 4), dtype)


def addmm_samples(info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **_: Any) -> Samples:
    make = partial(make_tensor, device=device, dtype=dtype)
    wide = partial(make_tensor, device=device, dtype=torch.float32)
    for rows, inner, columns in [(2, 3, 4), (2, 0, 4), (0, 3, 4), (20, 33, 18)]:
        left, right = make(rows, inner), make(inner, columns)
        yield SampleInput(make(rows, columns), left, right, torch.float32)
        yield SampleInput(wide(rows, columns), left, right, torch.float32, beta=0.5, alpha=-2)
        yield SampleInput(wide(columns), left, right, torch.float32, alpha=0.25)
    yield SampleInput(make(2, 1), make(2, 3), make(3, 4), torch.float32)
    yield SampleInput(torch.full_like(make(4), float("nan")), make(2, 3), make(3, 4), torch.float32, beta=0)
    yield SampleInput(make(2, 4), make(2, 3), make(3, 4), dtype)


def mm_errors(info: OpInfo, device: str, **_: Any) -> Iterator[ErrorInput]:
    def ones(*sizes: int, dtype: torch.dtype = torch.float16) -> torch.Tensor:
        return torch.ones(sizes, dtype=dtype, device=device)

    for left, right, dtype in [
        (ones(2), ones(2, 3), torch.float32),
        (ones(2, 2), ones(2), torch.float32),
        (ones(2, 3), ones(2, 3), torch.float32),
        (ones(2, 3), ones(3, 2, dtype=torch.bfloat16), torch.float32),
        (ones(2, 3), ones(3, 2), torch.bfloat16),
        (ones(2, 3, dtype=torch.int32), ones(3, 2, dtype=torch.int32), torch.float32),
    ]:
        yield ErrorInput(SampleInput(left, right, dtype), error_regex=".")


def bmm_errors(info: OpInfo, device: str, **_: Any) -> Iterator[ErrorInput]:
    def ones(*sizes: int, dtype: torch.dtype = torch.float16) -> torch.Tensor:
        return torch.ones(sizes, dtype=dtype, device=device)

    for left, right, dtype in [
        (ones(2, 2), ones(2, 2, 3), torch.float32),
        (ones(2, 2, 2), ones(2, 3), torch.float32),
        (ones(2, 2, 3), ones(2, 2, 3), torch.float32),
        (ones(1, 2, 3), ones(1, 3, 2, dtype=torch.bfloat16), torch.float32),
        (ones(1, 2, 3), ones(1, 3, 2), torch.int32),
    ]:
        yield ErrorInput(SampleInput(left, right, dtype), error_regex=".")


def addmm_errors(info: OpInfo, device: str, **_: Any) -> Iterator[ErrorInput]:
    def ones(*sizes: int, dtype: torch.dtype = torch.float16) -> torch.Tensor:
        return torch.ones(sizes, dtype=dtype, device=device)

    wide = torch.float32
    for added, left, right, dtype in [
        (ones(2), ones(2), ones(2, 3), wide),
        (ones(2), ones(2, 2), ones(2), wide),
        (ones(2), ones(2, 3), ones(2, 3), wide),
        (ones(2), ones(2, 3), ones(3, 2), torch.bfloat16),
        (ones(2, dtype=torch.bfloat16), ones(2, 3), ones(3, 2), wide),
        (ones(3), ones(2, 3), ones(3, 2), wide),
    ]:
        yield ErrorInput(SampleInput(added, left, right, dtype), error_regex=".")


PRODUCTS: tuple[tuple[str, Callable[..., torch.Tensor], Any, Any], ...] = (
    ("mm.dtype", mm, mm_samples, mm_errors),
    ("bmm.dtype", bmm, bmm_samples, bmm_errors),
    ("addmm.dtype", addmm, addmm_samples, addmm_errors),
)

op_db = [
    OpInfo(
        "_int_mm",
        op=int_mm,
        dtypes=custom_types(torch.int8, torch.uint8),
        sample_inputs_func=int_mm_samples,
        error_inputs_func=int_mm_errors,
        supports_out=False,  # which is not resized
        supports_autograd=False,
    ),
    *(
        OpInfo(
            name,
            op=op,
            dtypes=custom_types(*HALVES),
            sample_inputs_func=samples,
            error_inputs_func=errors,
            supports_autograd=False,
        )
        for name, op, samples, errors in PRODUCTS
    ),
]
