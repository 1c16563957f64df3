"""Products of attention and feed-forward layers: low precision in, float32 (of bytes, int32) out."""

import torch

from .addmm_activation import LAYERS

BATCHES = {
    "tiny": (2, 8, 8, 8),
    "medium": (16, 64, 64, 64),
    "large": (96, 512, 64, 512),
    "odd": (7, 101, 67, 89),
    "batch": (4096, 16, 16, 16),
}


def calls(make, size):
    aten = torch.ops.aten
    rows, inner, columns = LAYERS[size.name]
    if make.dtype in {torch.int8, torch.uint8}:
        right = make.normal(inner, columns, dtype=torch.int8)
        yield aten._int_mm.default, (make.normal(rows, inner), right), {}
        return
    left, right, wide = make.normal(rows, inner), make.normal(inner, columns), torch.float32
    yield aten.mm.dtype, (left, right, wide), {}
    yield aten.addmm.dtype, (make.normal(rows, columns), left, right, wide), {}
    batch, rows, inner, columns = BATCHES[size.name]
    left, right = make.normal(batch, rows, inner), make.normal(batch, inner, columns)
    yield aten.bmm.dtype, (left, right, wide), {}
    yield aten.baddbmm.dtype, (make.normal(batch, rows, columns), left, right, wide), {}


def _baddbmm(*arguments, **scales):
    *operands, out_dtype = arguments
    return torch.baddbmm(*(x if x.dtype == torch.float64 else x.to(out_dtype) for x in operands), **scales)


references = {"aten::baddbmm.dtype": _baddbmm}
