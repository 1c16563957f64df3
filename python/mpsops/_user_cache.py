"""Where mpsops keeps what it can make again."""

import os
import sys
from pathlib import Path


def folder(name: str) -> Path:
    """Of one kind of thing: in ``MPSOPS_CACHE_DIR``, or in the user's cache folder."""
    if chosen := os.environ.get("MPSOPS_CACHE_DIR"):
        return Path(chosen).absolute() / name
    base = os.environ.get("XDG_CACHE_HOME")
    home = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    return (Path(base) if base else home) / "mpsops" / name
