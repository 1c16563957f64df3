"""PyTorch on Apple GPUs without missing ops.

``import mpsops`` puts Metal kernels on the MPS dispatch key for the ATen ops that the running torch
lacks there (policy ``missing``) or has only for some inputs (policy ``partial``).
``MPSOPS_AUTOPATCH=0`` leaves torch alone until :func:`enable` is called; ``MPSOPS_AUTOPATCH=tuned`` uses what
``mpsops tune`` measured.

On Linux there is no MPS device; ``MPSOPS_SIMULATOR=1`` or :func:`mpsops.simulator.install` makes one.
"""

import os
from typing import TYPE_CHECKING

from ._startup import explained

with explained():
    import torch  # loads libtorch, which the native module links against

    from ._native import load as _load

    if TYPE_CHECKING:
        from . import _C as _C
    else:
        _C = _load(torch.__version__, torch.backends.mps.is_built())

from ._model_coverage import Coverage, coverage
from ._patching import (
    CpuPathCalls,
    OpRow,
    autopatch,
    cpu_path_calls,
    disable,
    enable,
    ops,
    patched,
    reset_counts,
)
from .tracing import Trace, TraceRow, trace

__version__ = "0.1.0"

__all__ = [
    "Coverage",
    "CpuPathCalls",
    "OpRow",
    "Trace",
    "TraceRow",
    "coverage",
    "cpu_path_calls",
    "disable",
    "enable",
    "ops",
    "patched",
    "reset_counts",
    "trace",
]

if os.environ.get("MPSOPS_SIMULATOR", "0") not in {"", "0"}:
    from . import simulator as _simulator

    _simulator.install()
else:
    autopatch()
