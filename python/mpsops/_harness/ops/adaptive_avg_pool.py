"""Global pooling halves, classifier heads and sizes that do not divide, as in pretrained networks."""

import torch
import torch.nn.functional as F


def calls(make, size):
    images, volumes = make.normal(*size.images, grad=True), make.normal(*size.volumes, grad=True)
    plane = [max(2, extent // 2 - 1) for extent in size.images[2:]]
    space = [max(2, extent // 2 - 1) for extent in size.volumes[2:]]
    yield F.adaptive_avg_pool2d, (images, plane), {}
    yield F.adaptive_avg_pool3d, (volumes, space), {}
    aten = torch.ops.aten
    images, volumes = images.detach(), volumes.detach()
    for op, x, out_size in (
        (aten.adaptive_avg_pool2d, images, plane),
        (aten.adaptive_avg_pool3d, volumes, space),
    ):
        yield op.out, (x, out_size), {"out": x.new_empty(*x.shape[:2], *out_size)}
    grad = make.normal(*size.volumes[:2], *space)
    yield (
        aten.adaptive_avg_pool3d_backward.grad_input,
        (grad, volumes),
        {"grad_input": torch.empty_like(volumes)},
    )


def contested(make, size):
    """Sizes that divide: two, where the extent is even."""
    images = make.normal(*size.images, grad=True)
    plane = [extent // 2 if extent % 2 == 0 else extent for extent in size.images[2:]]
    yield F.adaptive_avg_pool2d, (images, plane), {}
    images = images.detach()
    out = images.new_empty(*images.shape[:2], *plane)
    yield torch.ops.aten.adaptive_avg_pool2d.out, (images, plane), {"out": out}
