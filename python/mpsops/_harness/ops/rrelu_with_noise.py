"""In training, where each negative element draws a slope."""

import torch

LOWER, UPPER = 0.125, 1 / 3


def calls(make, size):
    x = make.normal(*size.rows)
    yield torch.ops.aten.rrelu_with_noise.default, (x, torch.empty_like(x), LOWER, UPPER, True), {}


def _slopes(args, outputs):
    x, noise, out = args[0], args[1], outputs[0]
    slope = torch.where(x > 0, torch.ones_like(noise), noise)
    right = torch.isclose(out, x * slope, rtol=2e-2) & (slope >= LOWER * 0.99) & (slope <= 1)
    return None if bool(right.all()) else "an element is not its slope times the input"


def _range(args, outputs):
    """In place the input is gone."""
    noise = args[1]
    return None if bool(((noise >= LOWER * 0.99) & (noise <= 1)).all()) else "a slope is out of range"


NAMES = ("aten::rrelu_with_noise", "aten::rrelu_with_noise.out", "aten::rrelu_with_noise_")
compared_outputs: dict[str, list[int]] = {name: [] for name in NAMES}
checks = {NAMES[0]: _slopes, NAMES[1]: _slopes, NAMES[2]: _range}
