"""Environment variables that change what torch and mpsops do."""

import os
from collections.abc import Mapping

from .check import Check

KNOWN = frozenset(
    {
        "MPSOPS_AUTOPATCH",
        "MPSOPS_CACHE_DIR",
        "MPSOPS_CACHE_SIZE",
        "MPSOPS_CLANG",
        "MPSOPS_CPU_PATH",
        "MPSOPS_SIMULATOR",
        "MPSOPS_SIM_CHECK",
        "MPSOPS_SIM_RACES",
        "MPSOPS_SIM_SCHEDULE",
        "MPSOPS_SIM_TIMEOUT",
    }
)


def _on(value: str) -> bool:
    return value not in {"", "0"}


def check(variables: Mapping[str, str] = os.environ) -> Check:
    ours = {
        name: value
        for name, value in sorted(variables.items())
        if name.startswith(("MPSOPS_", "PYTORCH_MPS_", "PYTORCH_ENABLE_MPS"))
    }
    # Values of others may be paths.
    shown = [f"{name}={ours[name]}" if len(ours[name]) < 12 else name for name in ours]
    found = ", ".join(shown) or "nothing that matters is set"
    unknown = [name for name in ours if name.startswith("MPSOPS_") and name not in KNOWN]
    if unknown:
        advice = f"mpsops does not know {', '.join(unknown)}; it knows {', '.join(sorted(KNOWN))}"
        return Check("environment", "warn", found, advice)
    if _on(ours.get("PYTORCH_ENABLE_MPS_FALLBACK", "0")):
        advice = (
            "unset PYTORCH_ENABLE_MPS_FALLBACK to be told which ops run on the CPU, with copies each time"
        )
        return Check("environment", "warn", found, advice)
    if ours.get("MPSOPS_AUTOPATCH") == "0":
        advice = "unset MPSOPS_AUTOPATCH, or call mpsops.enable(), to have mpsops' kernels"
        return Check("environment", "warn", found, advice)
    return Check("environment", "ok", found)
