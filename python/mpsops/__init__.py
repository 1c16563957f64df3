"""PyTorch on Apple GPUs without missing ops.

``import mpsops`` puts Metal kernels on the MPS dispatch key for the ATen ops that the running torch
lacks there (policy ``missing``) or has only for some inputs (policy ``partial``).
``MPSOPS_AUTOPATCH=0`` leaves torch alone until :func:`enable` is called.

On Linux there is no MPS device; ``MPSOPS_SIMULATOR=1`` or :func:`mpsops.simulator.install` makes one.
"""

import os

import torch  # loads libtorch, which _C links against

from ._build import check_torch as _check_torch

_check_torch(torch.__version__)

from . import _C as _C  # noqa: E402
from ._patching import OpRow, autopatch, disable, enable, ops, patched, reset_counts  # noqa: E402

__version__ = "0.1.0"

__all__ = ["OpRow", "disable", "enable", "ops", "patched", "reset_counts"]

if os.environ.get("MPSOPS_SIMULATOR", "0") not in {"", "0"}:
    from . import simulator as _simulator

    _simulator.install()
else:
    autopatch()
