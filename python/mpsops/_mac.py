"""What a Mac must be to run mpsops. Needs neither torch nor mpsops: the build asks too, before both exist."""

from __future__ import annotations

import ctypes
import platform
from dataclasses import dataclass

OLDEST_MACOS = 14


@dataclass(frozen=True)
class Machine:
    system: str  # platform.system(): "Darwin", "Linux"
    processor: str  # of this process, which is what platform.machine() tells: "arm64", "x86_64"
    macos: str  # "14.5"; "" elsewhere
    translated: bool  # an Intel process on Apple silicon, run by Rosetta


def this_machine() -> Machine:
    system, processor = platform.system(), platform.machine()
    intel_mac = system == "Darwin" and processor == "x86_64"
    return Machine(system, processor, platform.mac_ver()[0], intel_mac and _translated())


def _translated() -> bool:
    """Apple's documented question; Intel Macs do not know the name and leave the answer at 0."""
    answer = ctypes.c_int(0)
    size = ctypes.c_size_t(ctypes.sizeof(answer))
    ctypes.CDLL(None).sysctlbyname(
        b"sysctl.proc_translated", ctypes.byref(answer), ctypes.byref(size), None, ctypes.c_size_t(0)
    )
    return answer.value == 1


def problem(machine: Machine) -> str | None:
    """Why mpsops cannot run on this machine and what to do, or ``None``. Anything but a Mac will do."""
    if machine.system != "Darwin":
        return None
    if machine.translated:
        return (
            "mpsops needs a Python for Apple silicon; this one is for Intel and runs under Rosetta. Install "
            "an arm64 Python (python -c 'import platform; print(platform.machine())' prints arm64 in it)"
        )
    if machine.processor != "arm64":
        return (
            "mpsops needs a Mac with Apple silicon; this one has an Intel processor, for which torch 2.13 "
            "and newer have no build either"
        )
    if int(machine.macos.split(".")[0]) < OLDEST_MACOS:
        return f"mpsops needs macOS {OLDEST_MACOS} or newer; this is macOS {machine.macos}"
    return None
