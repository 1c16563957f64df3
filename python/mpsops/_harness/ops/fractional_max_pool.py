"""Windows of 2, to 0.7 of the size, as in the paper."""

import torch


def calls(make, size):
    aten = torch.ops.aten
    for op, shape in ((aten.fractional_max_pool2d, size.images), (aten.fractional_max_pool3d, size.volumes)):
        extents = shape[2:]
        samples = make.uniform(*shape[:2], len(extents))
        target = [max(1, extent * 7 // 10) for extent in extents]
        yield op.default, (make.normal(*shape, grad=True), [2] * len(extents), target, samples), {}
