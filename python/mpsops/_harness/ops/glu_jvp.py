"""Forward-mode derivatives of gated linear units over the last dimension."""

import torch


def calls(make, size):
    aten = torch.ops.aten
    rows, columns = size.rows[0], (size.rows[1] + 1) // 2
    half = [make.normal(rows, columns) for _ in range(2)]
    whole = [make.normal(rows, 2 * columns) for _ in range(3)]
    yield aten.glu_jvp.default, (half[0], whole[0], whole[1], 1), {}
    yield aten.glu_backward_jvp.default, (whole[0], half[0], whole[1], half[1], whole[2], 1), {}
