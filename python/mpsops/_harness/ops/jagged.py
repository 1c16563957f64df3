"""Sequences of uneven length, 32 features each, to a padded batch and back."""

import torch

FEATURES = 32


def calls(make, size):
    aten = torch.ops.aten
    total = max(2, size.elements // FEATURES)
    items = max(1, total // 64)
    offsets = make.offsets(items, total)
    longest = int(offsets.diff().max())
    values = make.normal(total, FEATURES)
    yield aten._jagged_to_padded_dense_forward.default, (values, [offsets], [longest], 0.0), {}
    padded = make.normal(items, longest, FEATURES)
    yield aten._padded_dense_to_jagged_forward.default, (padded, [offsets], total), {}


bytes_moved = {
    # Of the padded batch, what is no padding.
    "aten::_padded_dense_to_jagged_forward": lambda args, outputs: 2 * outputs[0].nbytes + args[1][0].nbytes,
}
