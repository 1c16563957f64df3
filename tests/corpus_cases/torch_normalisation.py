"""PyTorch: kernels with a threadgroup for each row."""

from collections.abc import Iterator

import torch
from kernel_corpus import Run, family

from corpus_cases.torch_elementwise import DTYPES


def threads(axis: int) -> int:
    """As many as read 4 elements each, in whole simdgroups."""
    return (axis + 127) // 128 * 32


@family("torch", "RMSNorm.metal")
def rms_norm() -> Iterator[Run]:
    for name, dtype in DTYPES.items():
        for kernel, axis, group in (
            ("rms_norm", 37, 32),
            ("rms_norm", 300, 96),
            ("rms_norm_looped", 301, 64),
        ):
            x, w = torch.randn(3, axis).to(dtype), torch.randn(axis).to(dtype)
            unscaled = torch.nn.functional.rms_norm(x.double(), (axis,), eps=1e-5)
            # As in the kernel, the row is rounded before it is scaled.
            expected = unscaled.to(dtype).double() * w.double()
            bound = [x, w, torch.zeros_like(x), 1e-5, axis, 1]
            yield Run(f"{kernel}_{name}", bound, {2: expected}, 3, group, groups=True)
