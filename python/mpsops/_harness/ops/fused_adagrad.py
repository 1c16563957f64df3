"""One step over the parameters of a small network: a few large tensors and as many small ones."""

import torch


def calls(make, size):
    sizes = [size.rows, (size.rows[1],)] * 2
    params, grads = ([make.normal(*shape) for shape in sizes] for _ in range(2))
    sums = [make.uniform(*shape, low=0.1, high=1.1) for shape in sizes]
    steps = [make.full(float(i + 1), dtype=torch.float32) for i in range(len(sizes))]
    rates = {"lr_decay": 0.0, "weight_decay": 0.01, "eps": 1e-10, "maximize": False}
    fused = torch.ops.aten._fused_adagrad_
    yield fused.default, (params, grads, sums, steps), {"lr": 0.01, **rates}
    yield fused.tensor_lr, (params, grads, sums, steps), {"lr": make.full(0.01, dtype=torch.float32), **rates}


def _moved(args, outputs):
    """Gradients are changed only where they are to be unscaled."""
    params, grads, sums, steps = (sum(t.nbytes for t in tensors) for tensors in args)
    return 2 * params + grads + 2 * sums + steps


bytes_moved = {"aten::_fused_adagrad_": _moved, "aten::_fused_adagrad_.tensor_lr": _moved}
