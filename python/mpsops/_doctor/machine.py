"""The machine, as far as Python and torch tell: no host name, no user, no path."""

import platform
import shutil
import sys

import torch

from mpsops import _C
from mpsops._mac import this_machine
from mpsops._patching import has_mps


def python() -> str:
    return f"{platform.python_implementation()} {platform.python_version()}"


def system() -> str:
    if sys.platform == "darwin":
        return f"macOS {this_machine().macos}, {platform.machine()}"
    return f"{platform.system()}, {platform.machine()}"


def chip() -> str:
    """Chip and cores of the MPS device; "none" without one."""
    if not has_mps():
        return "none"
    name, cores = torch.backends.mps.get_name(), torch.backends.mps.get_core_count()
    return f"simulated on {cores} CPU cores" if _C.runtime == "sim" else f"{name}, {cores} cores"


def gpu() -> str:
    """The chip with its memory."""
    if not has_mps() or _C.runtime == "sim":
        return chip()
    return f"{chip()}, {torch.mps.recommended_max_memory() / 2**30:.1f} GiB"


def compiler() -> str | None:
    """What compiles Metal kernels here, or ``None``."""
    if _C.runtime == "metal":
        # Metal compiles at run time; Apple's offline compiler is a part of Xcode that nobody needs.
        return "Metal's, at run time" + (", and Xcode" if shutil.which("xcrun") else "")
    from mpsops.msl import CompileError
    from mpsops.msl._compiler import clang

    try:
        command = clang()[0]
    except CompileError:
        return None
    return "clang of the package ziglang" if command[-1] == "clang" else "clang of the system"
