"""aten::embedding_renorm_ by its functional form, which ATen makes of it."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.testing import make_tensor
from torch.testing._internal.common_dtype import floating_and_complex_types_and
from torch.testing._internal.opinfo.core import ErrorInput, OpInfo, SampleInput

INF = float("inf")


def sample_inputs(
    info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **kwargs: Any
) -> Iterator[SampleInput]:
    def sample(shape: Any, indices: Any, max_norm: float, norm_type: float = 2.0) -> SampleInput:
        table = make_tensor(shape, device=device, dtype=dtype, low=-2, high=2)
        if norm_type == 0.0:
            table[table.abs() < 1] = 0
        return SampleInput(table, args=(torch.as_tensor(indices, device=device), max_norm, norm_type))

    # The CPU takes -1 and the last row for two rows, and scales it for each.
    repeated = [[3, 0, 3], [-1, 5, 3]]
    for norm_type in (2.0, 1.0, 0.0, INF, -INF, 3.0, 0.5, -1.0):
        for max_norm in (0.3, 2.0, 100.0):
            yield sample((7, 5), repeated, max_norm, norm_type)
    for columns in (1, 3, 40, 300):
        yield sample((7, columns), repeated, 0.5)
    yield sample((7, 5), torch.tensor(repeated, dtype=torch.int32), 0.5)
    yield sample((7, 5), 2, 0.5)
    yield sample((40, 5), list(range(40)) * 3, 0.5)
    yield sample((7, 5), torch.empty(0, dtype=torch.long), 0.5)
    yield sample((0, 5), torch.empty(0, dtype=torch.long), 0.5)
    yield sample((7, 0), repeated, 0.5)
    yield sample((7, 5), repeated, 0.0)
    yield sample((7, 5), repeated, -1.0)


def error_inputs(info: OpInfo, device: str, **kwargs: Any) -> Iterator[ErrorInput]:
    table = torch.ones(5, 3, device=device)

    def index(*values: int) -> torch.Tensor:
        return torch.tensor(values, device=device)

    def error(regex: str, weight: torch.Tensor, indices: torch.Tensor, **how: Any) -> ErrorInput:
        return ErrorInput(SampleInput(weight, args=(indices, 0.1, 2.0)), error_regex=regex, **how)

    yield error("Expected 2-dimensional tensor", table[0], index(1))
    yield error("either floating point or complex", table.long(), index(1))
    yield error("index 7 out of range", table, index(1, 9, 7, 2), error_type=IndexError)
    yield error("index -9 out of range", table, index(1, -6, 7, -9), error_type=IndexError)
    yield ErrorInput(
        SampleInput(table[:, :0], args=(index(1), 0.1, INF)), error_regex="cannot compute the inf norm"
    )


op_db = [
    OpInfo(
        "embedding_renorm",
        op=torch.ops.aten.embedding_renorm,
        inplace_variant=torch.embedding_renorm_,
        dtypes=floating_and_complex_types_and(torch.float16, torch.bfloat16),
        sample_inputs_func=sample_inputs,
        error_inputs_func=error_inputs,
        supports_out=False,
        supports_autograd=False,
    )
]
