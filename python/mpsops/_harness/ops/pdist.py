"""Distances between the rows of a matrix: the output grows with the square of the rows."""

import torch

contiguous_only = True
POINTS = {"tiny": (8, 16), "medium": (512, 64), "large": (4096, 128), "odd": (509, 37), "batch": (2048, 3)}


def calls(make, size):
    yield torch.pdist, (make.normal(*POINTS[size.name], grad=True),), {}
