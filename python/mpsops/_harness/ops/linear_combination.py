"""A few terms of matrices, as the Taylor polynomials of the matrix exponential have them."""

import torch


def calls(make, size):
    rows, columns = size.rows
    real = make.dtype.to_real()
    terms = make.normal(4, max(1, rows // 4), columns)
    yield torch.ops.aten._compute_linear_combination.default, (terms, make.normal(4, 4, dtype=real)), {}
