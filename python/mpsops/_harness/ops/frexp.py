"""frexp's overload with outputs, the one that needs a kernel."""

import torch


def calls(make, size):
    x = make.normal(*size.rows)
    out = {"mantissa": torch.empty_like(x), "exponent": torch.empty_like(x, dtype=torch.int32)}
    yield torch.ops.aten.frexp.Tensor_out, (x,), out
