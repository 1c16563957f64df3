"""A classifier's loss: scores of each class, one label for each row."""

import torch.nn.functional as F


def calls(make, size):
    rows, classes = size.rows
    yield F.multi_margin_loss, (make.normal(rows, classes, grad=True), make.integers(0, classes, rows)), {}
