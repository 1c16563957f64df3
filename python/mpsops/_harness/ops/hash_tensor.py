"""The hash of a whole tensor."""

import torch


def calls(make, size):
    yield torch.ops.aten.hash_tensor.default, (make.normal(*size.rows),), {}
