"""The projection of a transformer block with 12 heads: (batch, tokens, 3 x features)."""

import torch

BLOCKS = {
    "tiny": (1, 4, 48, 4),
    "medium": (2, 128, 384, 6),
    "large": (16, 512, 768, 12),
    "odd": (3, 77, 195, 13),
    "batch": (512, 16, 96, 4),
}


def calls(make, size):
    batch, tokens, features, heads = BLOCKS[size.name]
    qkv, bias = make.normal(batch, tokens, 3 * features), make.normal(3 * features)
    yield torch.ops.aten._transform_bias_rescale_qkv.default, (qkv, bias, heads), {}
