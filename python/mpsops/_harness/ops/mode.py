"""Rows with few distinct values, as labels and votes have."""

import torch

DISTINCT = 16


def calls(make, size):
    x = make.integers(0, DISTINCT if make.dtype != torch.bool else 2, *size.rows).to(make.dtype)
    yield torch.ops.aten.mode.default, (x,), {}


def _values_at_indices(args, outputs):
    """Which of equal elements the CPU names depends on its C++ library."""
    values, indices = outputs
    found = args[0].gather(-1, indices.unsqueeze(-1)).squeeze(-1)
    return None if torch.equal(found, values) else "an index points to another value"


# Compared as values alone; the indices have to point to such a value.
compared_outputs = {"aten::mode": [0], "aten::mode.values": [0]}
checks = {"aten::mode": _values_at_indices, "aten::mode.values": _values_at_indices}
