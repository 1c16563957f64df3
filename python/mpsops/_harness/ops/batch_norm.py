"""The parts of SyncBatchNorm on images: statistics, their union over 8 ranks, both passes."""

import torch

RANKS = 8


def calls(make, size):
    aten = torch.ops.aten
    x, grad = make.normal(*size.images), make.normal(*size.images)
    channels = size.images[1]
    wide = {"dtype": make.wide}
    mean, invstd, weight, bias, sum_dy, sum_dy_xmu = (make.normal(channels, **wide) for _ in range(6))
    invstd = invstd.abs() + 0.5
    running = [make.normal(channels, **wide), make.full(1.0, channels, **wide)]
    yield aten.batch_norm_stats.default, (x, 1e-5), {}
    yield aten.batch_norm_update_stats.default, (x, *running, 0.1), {}
    yield aten.batch_norm_elemt.default, (x, weight, bias, mean, invstd, 1e-5), {}
    yield aten.batch_norm_backward_reduce.default, (grad, x, mean, invstd, weight, True, True, True), {}
    count = make.full(x.numel() // channels // 2, 2, dtype=torch.int32)
    arguments = (grad, x, mean, invstd, weight, sum_dy, sum_dy_xmu, count)
    yield aten.batch_norm_backward_elemt.default, arguments, {}
    means = make.normal(RANKS, channels, **wide)
    invstds = make.uniform(RANKS, channels, low=0.5, high=1.5, **wide)
    counts = make.full(100.0, RANKS)
    yield aten.batch_norm_gather_stats.default, (x, means, invstds, None, None, 0.1, 1e-5, 100), {}
    yield (
        aten.batch_norm_gather_stats_with_counts.default,
        (x, means, invstds, None, None, 0.1, 1e-5, counts),
        {},
    )


def _small(args, outputs):
    """The input gives its dtype alone."""
    return sum(t.nbytes for t in (*args[1:3], *outputs[:2]))


bytes_moved = {"aten::batch_norm_gather_stats": _small, "aten::batch_norm_gather_stats_with_counts": _small}


def _first_two(name):
    def reference(*args):
        from mpsops._opinfo import batch_norm

        return batch_norm.gather(*args)[:2]

    return reference


references = {
    name: _first_two(name)
    for name in ("aten::batch_norm_gather_stats", "aten::batch_norm_gather_stats_with_counts")
}
