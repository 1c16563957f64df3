"""A training step of speech or text recognition: time, batch, alphabet, length of the target."""

import torch
import torch.nn.functional as F

STEPS = {
    "tiny": (20, 2, 10, 5),
    "medium": (200, 8, 32, 40),
    "large": (1000, 32, 64, 150),
    "odd": (157, 3, 37, 29),
    "batch": (64, 256, 28, 16),
}


def calls(make, size):
    time, batch, alphabet, length = STEPS[size.name]
    scores = F.log_softmax(make.normal(time, batch, alphabet), -1).requires_grad_()
    targets = make.integers(1, alphabet, batch, length)
    times, lengths = make.full(time, batch, dtype=torch.int64), make.integers(length // 2, length + 1, batch)
    aten = torch.ops.aten
    yield aten._ctc_loss.default, (scores, targets, times.tolist(), lengths.tolist()), {}
    yield aten._ctc_loss.Tensor, (scores, targets, times, lengths), {}


# Beyond an item's lengths the table of the second output is nobody's.
compared_outputs = {"aten::_ctc_loss": [0], "aten::_ctc_loss.Tensor": [0]}
