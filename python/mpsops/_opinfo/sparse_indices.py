"""Indices of sparse matrices from one layout to another, which have no entries."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.testing import make_tensor
from torch.testing._internal.common_dtype import integral_types
from torch.testing._internal.opinfo.core import ErrorInput, OpInfo, SampleInput


def coo_to_csr(indices: torch.Tensor, size: int, **kwargs: Any) -> torch.Tensor:
    # The CPU kernel reads and writes as if indices were contiguous.
    contiguous = indices.contiguous() if indices.device.type == "cpu" else indices
    return torch._convert_indices_from_coo_to_csr(contiguous, size, **kwargs)


def csr_to_coo(columns: torch.Tensor, offsets: torch.Tensor, **kwargs: Any) -> torch.Tensor:
    return torch._convert_indices_from_csr_to_coo(offsets, columns, **kwargs)


def sample_inputs_coo_to_csr(
    op_info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **_: Any
) -> Iterator[SampleInput]:
    for entries, size in ((0, 0), (0, 3), (1, 1), (1, 100), (7, 4), (50, 9), (100, 1), (20, 127)):
        indices = make_tensor((entries,), dtype=dtype, device=device, low=0, high=size or 1)
        yield SampleInput(indices.sort().values, args=(size,))
    yield SampleInput(torch.tensor(2, dtype=dtype, device=device), args=(5,))


def offsets_of(batch: tuple[int, ...], rows: int, entries: int, device: str) -> torch.Tensor:
    inner = torch.randint(0, entries + 1, (*batch, rows - 1), device=device).sort(-1).values
    first = torch.zeros(*batch, 1, dtype=torch.int64, device=device)
    return torch.cat([first, inner, first + entries], -1)


def sample_inputs_csr_to_coo(
    op_info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **_: Any
) -> Iterator[SampleInput]:
    for batch in ((), (3,), (2, 1, 3)):
        for rows, entries in ((1, 1), (1, 9), (5, 30), (40, 7)):
            offsets = offsets_of(batch, rows, entries, device).to(dtype)
            columns = make_tensor((*batch, entries), dtype=dtype, device=device, low=0, high=9)
            for transpose in (False, True):
                yield SampleInput(columns, args=(offsets,), kwargs={"transpose": transpose})
        nothing = torch.zeros(*batch, 0, dtype=dtype, device=device)
        yield SampleInput(nothing, args=(torch.zeros(*batch, 4, dtype=dtype, device=device),))


def error_inputs_coo_to_csr(op_info: OpInfo, device: str, **_: Any) -> Iterator[ErrorInput]:
    x = torch.tensor([0, 1], device=device)
    yield ErrorInput(SampleInput(x[None], args=(2,)), error_regex="supposed to be a vector")
    yield ErrorInput(SampleInput(x, args=(-3,)), error_regex="negative dimension")
    yield ErrorInput(
        SampleInput(x.float(), args=(2,)), error_type=NotImplementedError, error_regex="not implemented"
    )
    wrong = torch.empty(3, dtype=torch.int32, device=device)
    yield ErrorInput(SampleInput(x, args=(2,), kwargs={"out": wrong}), error_regex="to have dtype long")


def error_inputs_csr_to_coo(op_info: OpInfo, device: str, **_: Any) -> Iterator[ErrorInput]:
    columns, offsets = torch.tensor([0, 1], device=device), torch.tensor([0, 1, 2], device=device)
    yield ErrorInput(SampleInput(columns[None], args=(offsets,)), error_regex="same dimensionality")
    batched = offsets.expand(2, 3)
    yield ErrorInput(
        SampleInput(columns[None], args=(batched,)), error_regex=r"a \(2\) must match .* b \(4\)"
    )
    yield ErrorInput(
        SampleInput(columns, args=(offsets.float(),)),
        error_type=NotImplementedError,
        error_regex="not implemented",
    )
    yield ErrorInput(
        SampleInput(columns[0], args=(offsets[0],)), error_type=IndexError, error_regex="no dimensions"
    )


op_db = [
    OpInfo(
        "_convert_indices_from_coo_to_csr",
        op=coo_to_csr,
        dtypes=integral_types(),
        sample_inputs_func=sample_inputs_coo_to_csr,
        error_inputs_func=error_inputs_coo_to_csr,
        supports_out=True,
        supports_autograd=False,
    ),
    OpInfo(
        "_convert_indices_from_csr_to_coo",
        op=csr_to_coo,
        dtypes=integral_types(),
        sample_inputs_func=sample_inputs_csr_to_coo,
        error_inputs_func=error_inputs_csr_to_coo,
        supports_out=True,
        supports_autograd=False,
    ),
]
