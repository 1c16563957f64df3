"""Observer and fake quantisation of activations, for the whole tensor."""

import torch


def calls(make, size):
    on = make.full(1, 1, dtype=torch.int64)
    low, high = make.full(-3, 1).squeeze(0), make.full(3, 1).squeeze(0)
    state = (low, high, make.full(1, 1), make.full(0, 1, dtype=torch.int32))
    x = make.normal(*size.rows)
    yield torch.ops.aten._fused_moving_avg_obs_fq_helper.default, (x, on, on, *state, 0.01, 0, 255, 0), {}
