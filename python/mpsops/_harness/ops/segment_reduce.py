"""Sums over segments of 64 rows on average, 16 features each, as graph networks pool nodes."""

import torch

FEATURES = 16


def calls(make, size):
    rows = max(2, size.elements // FEATURES)
    data = make.normal(rows, FEATURES, grad=True)
    offsets = make.offsets(max(1, rows // 64), rows)
    kwargs = {"offsets": offsets, "axis": 0, "unsafe": True, "initial": 0}
    yield torch.ops.aten.segment_reduce.default, (data, "sum"), kwargs
