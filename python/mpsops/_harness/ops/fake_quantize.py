"""Quantisation-aware training: weights by rows, activations as a whole, to 8 bits."""

import torch


def calls(make, size):
    aten = torch.ops.aten
    x = make.normal(*size.rows)
    rows = size.rows[0]
    wide = torch.float32
    scale, zero_point = make.full(0.03, 1, dtype=wide), make.full(2, 1, dtype=torch.int32)
    on = make.full(1, 1, dtype=torch.int64)
    yield aten.fake_quantize_per_tensor_affine_cachemask.default, (x, 0.03, 2, -128, 127), {}
    tensors = (x, scale, zero_point, on, -128, 127)
    yield aten._fake_quantize_per_tensor_affine_cachemask_tensor_qparams.default, tensors, {}
    scales, zero_points = make.uniform(rows, low=0.02, high=0.04, dtype=wide), zero_point.repeat(rows)
    channels = (x, scales, zero_points, 0, -128, 127)
    yield aten.fake_quantize_per_channel_affine_cachemask.default, channels, {}
