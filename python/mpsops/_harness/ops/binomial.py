"""Counts of 0 to 40 trials, so that both of the usual methods are used."""

import torch


def calls(make, size):
    count = make.integers(0, 41, *size.rows).to(make.dtype)
    yield torch.ops.aten.binomial.default, (count, make.uniform(*size.rows)), {}


def _mean(args, outputs):
    count, probability = args[0].double(), args[1].double()
    variance = (count * probability * (1 - probability)).sum()
    deviation = (outputs[0].double().sum() - (count * probability).sum()) / variance.sqrt()
    return None if deviation.abs() < 6 else f"the sum is {deviation:.1f} standard deviations off"


compared_outputs: dict[str, list[int]] = {"aten::binomial": []}
checks = {"aten::binomial": _mean}
