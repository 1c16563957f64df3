"""3x3 convolutions of integers, and transposed 4x4 ones by stride 2 in half precision, as in decoders."""

import torch

PLANES = {
    "tiny": (1, 4, 4, 8, 8),
    "medium": (2, 16, 16, 32, 32),
    "large": (4, 32, 32, 64, 64),
    "odd": (3, 5, 7, 41, 37),
    "batch": (128, 4, 4, 8, 8),
}


def calls(make, size):
    aten = torch.ops.aten
    batch, channels, filters, height, width = PLANES[size.name]
    plane = make.normal(batch, channels, height, width)
    one = [1, 1]
    if not make.dtype.is_floating_point:
        weight = make.normal(filters, channels, 3, 3)
        yield aten._mps_convolution.default, (plane, weight, make.normal(filters), one, one, one, 1), {}
    if make.dtype == torch.int64:
        weight = make.normal(channels, filters, 4, 4)
        yield aten._mps_convolution_transpose.default, (plane, weight, one, [0, 0], [2, 2], one, 1), {}
    if make.dtype.is_floating_point:
        depth = 4
        volume = make.normal(batch, channels, depth, height, width)
        weight = make.normal(channels, filters, 4, 4, 4)
        rest = ([1] * 3, [0] * 3, [2] * 3, [1] * 3, 1)
        yield aten._mps_convolution_transpose.default, (volume, weight, *rest), {}
        grad = make.normal(batch, filters, 2 * depth, 2 * height, 2 * width)
        backward = aten.mps_convolution_transpose_backward.default
        yield backward, (volume, grad, weight, *rest, [True, True]), {}


def _convolution(x, weight, bias, *rest):
    padding, stride, dilation, groups = rest
    return torch.convolution(x, weight, bias, stride, padding, dilation, False, [0] * len(stride), groups)


def _transposed(x, weight, *rest):
    padding, output_padding, stride, dilation, groups = rest
    return torch.convolution(x, weight, None, stride, padding, dilation, True, output_padding, groups)


def _transposed_backward(x, grad, weight, *rest):
    padding, output_padding, stride, dilation, groups, mask = rest
    arguments = (grad, x, weight, None, stride, padding, dilation, True, output_padding, groups)
    return torch.ops.aten.convolution_backward(*arguments, [*mask, False])[:2]


references = {
    "aten::_mps_convolution": _convolution,
    "aten::_mps_convolution_transpose": _transposed,
    "aten::mps_convolution_transpose_backward": _transposed_backward,
}
