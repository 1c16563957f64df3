"""In what state a Mac measures: power and heat; None for what the system does not tell, as no other does."""

import re
import subprocess
import sys
from typing import Any

THERMAL_STATES = ("nominal", "fair", "serious", "critical")  # of NSProcessInfo, in the order of its numbers
THERMAL_SCRIPT = "ObjC.import('Foundation'); $.NSProcessInfo.processInfo.thermalState"


def output(*command: str) -> str | None:
    """What a tool of the system prints; None where there is none, or it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def power_source(text: str | None) -> str | None:
    """Of ``pmset -g batt``."""
    found = re.search(r"drawing from '(AC|Battery|UPS) Power'", text or "")
    return {"AC": "mains", "Battery": "battery", "UPS": "battery"}[found[1]] if found else None


def low_power_mode(text: str | None) -> bool | None:
    """Of ``pmset -g``: newer systems have three power modes, of which 1 is the low one."""
    found = re.search(r"^\s*(?:lowpowermode|powermode)\s+(\d)", text or "", re.MULTILINE)
    return found[1] == "1" if found else None


def thermal_state(text: str | None) -> str | None:
    """Of NSProcessInfo, by name."""
    known = text is not None and text.isdigit() and int(text) < len(THERMAL_STATES)
    return THERMAL_STATES[int(text)] if known and text is not None else None


def current() -> dict[str, Any]:
    if sys.platform != "darwin":
        return {"power": None, "low_power_mode": None, "thermal_state": None}
    return {
        "power": power_source(output("pmset", "-g", "batt")),
        "low_power_mode": low_power_mode(output("pmset", "-g")),
        "thermal_state": thermal_state(output("osascript", "-l", "JavaScript", "-e", THERMAL_SCRIPT)),
    }


def cores_of_kinds() -> dict[str, int]:
    """Of the GPU, and of the two kinds of the processor."""
    counts = {
        "performance_cores": output("sysctl", "-n", "hw.perflevel0.physicalcpu"),
        "efficiency_cores": output("sysctl", "-n", "hw.perflevel1.physicalcpu"),
    }
    displays = output("system_profiler", "SPDisplaysDataType", "-json")
    found = re.search(r'"sppci_cores"\s*:\s*"(\d+)"', displays or "")
    counts["gpu_cores"] = found[1] if found else None
    return {name: int(text) for name, text in counts.items() if text and text.isdigit()}
