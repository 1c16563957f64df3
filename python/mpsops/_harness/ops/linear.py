"""Integer layers, as quantised models that are run without a quantised backend have them."""

import torch

from .addmm_activation import LAYERS


def calls(make, size):
    rows, inner, columns = LAYERS[size.name]
    yield (
        torch.ops.aten.linear.default,
        (make.normal(rows, inner), make.normal(columns, inner), make.normal(columns)),
        {},
    )
