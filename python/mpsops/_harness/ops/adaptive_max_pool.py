"""As adaptive_avg_pool: half of the size, less one, so that windows overlap."""

import torch.nn.functional as F


def calls(make, size):
    plane = [max(2, extent // 2 - 1) for extent in size.images[2:]]
    space = [max(2, extent // 2 - 1) for extent in size.volumes[2:]]
    yield F.adaptive_max_pool2d, (make.normal(*size.images, grad=True), plane), {"return_indices": True}
    yield F.adaptive_max_pool3d, (make.normal(*size.volumes, grad=True), space), {"return_indices": True}
