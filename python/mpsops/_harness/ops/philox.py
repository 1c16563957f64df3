"""Keys for many streams, and one stream that fills a tensor."""

import torch


def calls(make, size):
    aten = torch.ops.aten
    if make.dtype == torch.uint64:
        keys = make.integers(0, 1 << 40, max(1, size.elements // 4), 2).view(torch.uint64)
        yield aten._philox_key_fold_in.default, (keys, 7), {}
        yield aten._philox_key_split.default, (keys[:1], max(1, size.elements // 4)), {}
        return
    key = torch.tensor([42, 0]).view(torch.uint64).to(make.device)
    for fill in (aten._philox_uniform_, aten._philox_normal_):
        yield fill.default, (make.normal(*size.rows), key), {}


def _filled(name):
    def reference(self, key, *bounds):
        from mpsops._opinfo import philox

        # float64 is not among the streams: its reference is the stream of float32.
        dtype = torch.float32 if self.dtype == torch.float64 else self.dtype
        return getattr(philox, name)(key, tuple(self.shape), *bounds, dtype=dtype)

    return reference


references = {"aten::_philox_uniform_": _filled("uniform"), "aten::_philox_normal_": _filled("normal")}
