"""As many scattered elements as a quarter of the tensor has, none twice."""

import torch

STRIDE = 1_000_003  # a prime: its multiples visit every element


def calls(make, size):
    aten = torch.ops.aten
    count = max(1, size.elements // 4)
    index = torch.arange(count, device=make.device) * STRIDE % size.elements
    x, source = make.normal(*size.rows), make.normal(count)
    yield aten.take.default, (x, index), {}
    yield aten.put_.default, (x, index, source), {}


def _taken(args, outputs):
    """Of the tensor, only what is asked for."""
    index = args[1]
    return index.nbytes + 2 * index.numel() * args[0].itemsize


bytes_moved = {"aten::take": _taken, "aten::take.out": _taken, "aten::put_": _taken}
