"""The native module: one build for each minor release of torch, since ATen's C++ ABI changes between them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import ModuleType

from ._built import TORCH_VERSIONS
from ._mac import Machine, problem, this_machine


def _minor(version: str) -> str:
    return ".".join(version.split("+", maxsplit=1)[0].split(".")[:2])


def choose(
    torch_version: str,
    has_mps: bool,
    built: Mapping[str, str] = TORCH_VERSIONS,
    machine: Machine | None = None,
) -> str:
    """The name of the module for a torch, which need not be there.

    Args:
        torch_version: ``torch.__version__``.
        has_mps: whether that torch was built with MPS, ``torch.backends.mps.is_built()``.
        built: the minor releases of torch that there is a module for, with the versions it was built against.
        machine: the machine to run on; this one by default.

    Raises:
        ImportError: nothing in this installation can run there; the text says why and what to do.
    """
    machine = machine or this_machine()
    if reason := problem(machine):
        raise ImportError(reason)
    if machine.system == "Darwin" and not has_mps:
        raise ImportError(
            f"mpsops needs a torch with MPS, and this torch {torch_version} was built without it "
            "(torch.backends.mps.is_built() is False): install torch from its wheels, `pip install torch`"
        )
    minor = _minor(torch_version)
    if minor not in built:
        raise ImportError(
            f"this mpsops has no build for torch {torch_version}, only for torch {', '.join(built)}. Install "
            f"such a torch (pip install 'torch=={list(built)[-1]}.*'), a newer mpsops if there is one, or "
            "build it for your torch: in a clone of its repository, pip install --force-reinstall --no-deps ."
        )
    return "_C_torch" + minor.replace(".", "")


def load(torch_version: str, has_mps: bool) -> ModuleType:
    """The native module for the torch that is installed; torch must be imported already."""
    name = choose(torch_version, has_mps)
    try:
        return importlib.import_module(f".{name}", __package__)
    except ImportError as error:
        built_against = TORCH_VERSIONS[_minor(torch_version)]
        error.add_note(f"mpsops was built against torch {built_against}; this is torch {torch_version}")
        raise
