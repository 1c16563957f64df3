"""torchvision, and timm and transformers, which import it, beside a torch without CUDA.

The operators of its Linux wheel need CUDA's libraries. Without them its import fails: it describes two
operators to torch that torch does not have. They are declared here; no model here calls them, a call raises.
"""

import importlib.util
import os
import sys
from types import ModuleType

import torch

_OPERATORS = ("nms", "qnms")
_declared: list[torch.library.Library] = []  # a library takes its schemas with it when it goes


def import_torchvision() -> ModuleType:
    """torchvision, with its models; ``torchvision.ops`` may be without operators.

    Raises:
        ImportError: if it is not installed.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error) or _declared:
            raise
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")
    _declared.append(library)
    for name in _OPERATORS:
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return importlib.import_module("torchvision")


def import_timm() -> ModuleType:
    """timm. Raises ImportError if it is not installed."""
    import_torchvision()
    return importlib.import_module("timm")


def import_transformers() -> ModuleType:
    """transformers, with torchvision if there is one. Raises ImportError if it is not installed."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if importlib.util.find_spec("torchvision") is not None:
        import_torchvision()
    return importlib.import_module("transformers")
