"""Gradients of resizing to three quarters with antialiasing, as training pipelines do."""

import torch


def calls(make, size):
    aten = torch.ops.aten
    shape = list(size.images)
    target = [max(1, extent * 3 // 4) for extent in shape[2:]]
    grad = make.normal(*shape[:2], *target)
    for name in ("bilinear", "bicubic", "lanczos"):
        backward = getattr(aten, f"_upsample_{name}2d_aa_backward", None)
        if backward is not None and (name != "lanczos" or make.dtype == torch.float32):
            yield backward.default, (grad, target, shape, False), {}
    if hasattr(aten, "_upsample_lanczos2d_aa"):
        yield aten._upsample_lanczos2d_aa.default, (make.normal(*shape), target, False), {}
