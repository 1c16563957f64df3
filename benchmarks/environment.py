"""What a result was measured on: no host name, no path, no user."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import conditions

PACKAGES = ("timm", "torchvision", "transformers", "kornia", "numpy")
SWITCHES = ("MPSOPS_", "PYTORCH_MPS_", "PYTORCH_ENABLE_MPS", "OMP_NUM_THREADS", "CUDA_LAUNCH_BLOCKING")
UNMEASURED = ("benchmarks/results", "docs")
ROOT = Path(__file__).resolve().parents[1]


def _output(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def processor() -> str:
    if sys.platform == "darwin":
        return _output("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if "model name" in line), platform.machine()
    )


def device_name(device: str, simulated: bool) -> str:
    """As rows name it; a simulated device is always called so."""
    if device == "cuda":
        import torch

        return torch.cuda.get_device_name()
    if simulated:
        return f"simulator on {processor()}"
    return processor()


def gpu_state() -> dict[str, str]:
    """Of an NVIDIA GPU: driver, clocks, temperature, power, as its own tool says."""
    fields = ["driver_version", "clocks.sm", "clocks.mem", "clocks.max.sm", "temperature.gpu", "power.draw"]
    fields += ["clocks_throttle_reasons.active"]
    text = _output("nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader")
    if text is None:
        return {}
    return dict(zip(fields, (value.strip() for value in text.splitlines()[0].split(",")), strict=False))


def library_versions() -> dict[str, Any]:
    """From inside of a process that measures."""
    import torch

    import mpsops

    versions = {
        "torch": torch.__version__,
        "torch_git": torch.version.git_version,
        "mpsops": mpsops.__version__,
    }
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    if torch.version.cuda and torch.cuda.is_available():
        major, minor = torch.cuda.get_device_capability()
        versions |= {
            "cuda": torch.version.cuda,
            "gpu": torch.cuda.get_device_name(),
            "sm": f"{major}.{minor}",
        }
    return {**versions, "threads": torch.get_num_threads(), "runtime": mpsops._C.runtime}


def commit() -> dict[str, Any]:
    """Of the measured tree; MPSOPS_COMMIT where it travels without its history."""
    if given := os.environ.get("MPSOPS_COMMIT"):
        return {"commit": given, "dirty": None}
    found = _output("git", "rev-parse", "HEAD")
    # Results and what is made from them are no part of what is measured.
    changes = _output("git", "status", "--porcelain", "--", ".", *(f":!{path}" for path in UNMEASURED))
    return {"commit": found, "dirty": None if changes is None else bool(changes)}


def record() -> dict[str, Any]:
    """What the machine and the tree are; the versions of libraries come from the processes that measure."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        **commit(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "macos": platform.mac_ver()[0] or None,
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30),
        "load": round(os.getloadavg()[0], 2),
        **conditions.current(),
        **(conditions.cores_of_kinds() if sys.platform == "darwin" else {}),
        "switches": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(SWITCHES) and "/" not in value
        },
        "gpu_before": gpu_state(),
    }
