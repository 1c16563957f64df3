"""As many steps as the size has elements."""

import torch


def calls(make, size):
    end = 3 if make.dtype.is_floating_point or make.dtype.is_complex else 1
    out = torch.empty(size.elements, dtype=make.dtype, device=make.device)
    yield torch.ops.aten.logspace.out, (0, end, size.elements), {"out": out}
