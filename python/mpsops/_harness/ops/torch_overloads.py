"""Reductions over everything and over the rows, and a copy of a part."""

import torch


def calls(make, size):
    aten = torch.ops.aten
    x = make.normal(*size.rows)
    rows, columns = size.rows
    yield aten._aminmax.default, (x,), {}
    yield aten._aminmax.dim, (x, 1), {}
    for extreme in (aten.min, aten.max):
        yield extreme.unary_out, (x,), {"out": x.new_empty(())}
    yield aten.narrow_copy.out, (x, 1, 1, columns - 1), {"out": x.new_empty(rows, columns - 1)}
    if not make.dtype.is_floating_point:
        return
    yield aten.logit_.default, (make.uniform(*size.rows, low=0.01, high=0.99),), {}
    for spread in (aten.std, aten.var):
        yield spread.correction_out, (x, [1]), {"correction": 1, "out": x.new_empty(rows)}


bytes_moved = {
    # What is left out is not read.
    "aten::narrow_copy.out": lambda args, outputs: 2 * outputs[0].nbytes,
}
