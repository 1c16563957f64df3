"""Learned step sizes, for the whole tensor and by rows."""

import torch


def calls(make, size):
    aten = torch.ops.aten
    rows = size.rows[0]
    grad = make.dtype != torch.float16  # which the backward passes do not take
    for channels in (1, rows):
        x = make.normal(*size.rows, grad=grad)
        scale = make.uniform(channels, low=0.02, high=0.04, dtype=make.wide, grad=grad)
        zero_point = make.uniform(channels, low=-2, high=2, dtype=make.wide, grad=grad)
        if channels == 1:
            yield (
                aten._fake_quantize_learnable_per_tensor_affine.default,
                (x, scale, zero_point, -128, 127),
                {},
            )
        else:
            arguments = (x, scale, zero_point, 0, -128, 127)
            yield aten._fake_quantize_learnable_per_channel_affine.default, arguments, {}
