"""Attention scores: (batch, heads, queries, keys), keys masked."""

import torch


def calls(make, size):
    rows, columns = size.rows
    heads = 4
    x = make.normal(1, heads, max(1, rows // heads), columns, grad=True)
    mask = make.normal(*x.shape, dtype=torch.bool)
    yield torch.ops.aten._masked_softmax.default, (x, mask, 3, 2), {}
