"""Rows of a sparse matrix with 16 entries in a row on average."""

import torch


def calls(make, size):
    entries = size.elements
    rows = max(1, min(entries // 16, torch.iinfo(make.dtype).max))
    aten = torch.ops.aten
    indices = make.integers(0, rows, entries, dtype=make.dtype).sort().values
    yield aten._convert_indices_from_coo_to_csr.default, (indices, rows), {}
    if make.dtype in {torch.int64, torch.int32}:
        offsets = make.offsets(rows, entries).to(make.dtype)
        yield aten._convert_indices_from_csr_to_coo.default, (offsets, indices), {}
