"""scikit-build-core, after a look whether this machine can build mpsops and has a torch to build against.

pip fetches what a package depends on before it builds it: on Linux several GB of torch with CUDA, only for
CMake to find no torch installed. This stops it before.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from scikit_build_core import build as backend
from scikit_build_core.build import (
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]


def load_mac() -> ModuleType:
    """mpsops._mac by its path: importing mpsops takes a torch and a build."""
    path = Path(__file__).parents[1] / "python" / "mpsops" / "_mac.py"
    spec = importlib.util.spec_from_file_location("mpsops_mac", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def require_machine() -> None:
    mac = load_mac()
    reason = mac.problem(mac.this_machine())
    if reason is None and sys.platform == "darwin":
        # Without the tools, `c++` is a stub of Apple's that opens a dialog.
        found = subprocess.run(["xcode-select", "--print-path"], capture_output=True, check=False)
        if found.returncode != 0:
            reason = "building mpsops needs Apple's command line tools: run `xcode-select --install`"
    if reason is not None:
        raise SystemExit(f"\n{reason}.\n")


def require_torch() -> None:
    if os.environ.get("MPSOPS_TORCH_ROOTS"):
        return
    # -E steps out of pip's build isolation, as cmake/MpsopsTorch.cmake does.
    probe = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
    if subprocess.run([sys.executable, "-E", "-c", probe], check=False).returncode != 0:
        raise SystemExit(
            f"\nmpsops is built against the torch that you already have, and {sys.executable} has none.\n"
            "Install one first (on Linux: pip install torch==2.13.0), then run the same command again.\n"
        )


def get_requires_for_build_wheel(config_settings: dict[str, Any] | None = None) -> list[str]:
    require_machine()
    require_torch()
    return backend.get_requires_for_build_wheel(config_settings)


def get_requires_for_build_editable(config_settings: dict[str, Any] | None = None) -> list[str]:
    require_machine()
    require_torch()
    return backend.get_requires_for_build_editable(config_settings)
