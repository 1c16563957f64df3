"""scikit-build-core, after a look whether there is a torch to build against.

pip fetches what a package depends on before it builds it: on Linux several GB of torch with CUDA, only for
CMake to find no torch installed. This stops it before.
"""

import subprocess
import sys
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


def require_torch() -> None:
    # -E steps out of pip's build isolation, as cmake/MpsopsTorch.cmake does.
    probe = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
    if subprocess.run([sys.executable, "-E", "-c", probe], check=False).returncode != 0:
        raise SystemExit(
            f"\nmpsops is built against the torch that you already have, and {sys.executable} has none.\n"
            "Install one first (on Linux: pip install torch==2.13.0), then run the same command again.\n"
        )


def get_requires_for_build_wheel(config_settings: dict[str, Any] | None = None) -> list[str]:
    require_torch()
    return backend.get_requires_for_build_wheel(config_settings)


def get_requires_for_build_editable(config_settings: dict[str, Any] | None = None) -> list[str]:
    require_torch()
    return backend.get_requires_for_build_editable(config_settings)
