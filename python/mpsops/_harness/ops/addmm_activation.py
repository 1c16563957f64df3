"""A layer of a feed-forward network: tokens by features, a bias, relu."""

import torch

LAYERS = {
    "tiny": (4, 16, 16),
    "medium": (256, 256, 512),
    "large": (2048, 768, 3072),
    "odd": (197, 321, 509),
    "batch": (16384, 32, 64),
}


def calls(make, size):
    rows, inner, columns = LAYERS[size.name]
    arguments = (make.normal(columns), make.normal(rows, inner), make.normal(inner, columns))
    yield torch.ops.aten._addmm_activation.default, arguments, {}
