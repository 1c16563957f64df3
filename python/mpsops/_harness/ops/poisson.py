"""Rates from 0 to 10."""

import torch


def calls(make, size):
    yield torch.ops.aten.poisson.default, (make.uniform(*size.rows, low=0, high=10),), {}


def _mean(args, outputs):
    rate, count = args[0].double(), outputs[0].double()
    deviation = (count.sum() - rate.sum()) / rate.sum().sqrt()
    return None if deviation.abs() < 6 else f"the sum is {deviation:.1f} standard deviations off"


compared_outputs: dict[str, list[int]] = {"aten::poisson": []}
checks = {"aten::poisson": _mean}
