"""PyTorch on Apple GPUs without missing ops."""

import torch  # noqa: F401  (loads libtorch before _C)

from . import _C as _C
