"""Several labels for each row; its time grows with classes x labels, so rows are many and short."""

import torch
import torch.nn.functional as F

ROWS = {"tiny": (4, 16), "medium": (1024, 64), "large": (16384, 128), "odd": (509, 61), "batch": (65536, 16)}


def calls(make, size):
    rows, classes = ROWS[size.name]
    labels = make.uniform(rows, classes, dtype=torch.float32).argsort(1)
    labels[:, 4:] = -1
    yield F.multilabel_margin_loss, (make.normal(rows, classes, grad=True), labels), {}
