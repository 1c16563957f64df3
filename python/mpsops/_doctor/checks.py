"""All looks at the machine, but for the kernels themselves."""

import sys

import torch

import mpsops
from mpsops import _C, _mac, _native
from mpsops._patching import has_mps

from . import environment, machine
from .check import Check

REPORT = "please report it, with the output of `mpsops info`"


def check_machine() -> Check:
    found = f"{machine.system()}, {machine.python()}"
    problem = _mac.problem(_mac.this_machine())
    return Check("machine", "fail", found, problem) if problem else Check("machine", "ok", found)


def check_torch() -> Check:
    version = torch.__version__
    try:
        _native.choose(version, torch.backends.mps.is_built())
    except ImportError as error:
        return Check("torch", "fail", f"torch {version}, mpsops {mpsops.__version__}", str(error))
    return Check(
        "torch", "ok", f"torch {version}; mpsops {mpsops.__version__} was built against {_C.torch_version}"
    )


def check_compiler() -> Check:
    found = machine.compiler()
    if found is None:
        advice = "pip install ziglang; needed for kernels of your own on the simulator, not for mpsops' ops"
        return Check("compiler", "warn", "none for Metal kernels", advice)
    return Check("compiler", "ok", found)


def check_device() -> Check:
    if not has_mps():
        if sys.platform == "darwin":
            advice = (
                "macOS must offer a Metal device: not in a virtual machine without GPU, nor over some ssh"
            )
        else:
            advice = "`mpsops doctor --simulator` checks mpsops on the simulated device"
        return Check("device", "fail", "no MPS device in this process", advice)
    try:
        values = torch.arange(1024.0).to("mps") + 1
        good = torch.equal(values.cpu(), torch.arange(1024.0) + 1)
    except RuntimeError as error:
        return Check("device", "fail", machine.gpu(), f"torch's own ops fail: {error}")
    if not good:
        return Check(
            "device", "fail", machine.gpu(), "torch's own addition is wrong: restart, then reinstall torch"
        )
    return Check("device", "ok", f"{machine.gpu()}; allocates, adds, copies back")


def check_ops() -> Check:
    rows = mpsops.ops()
    off = [row for row in rows if row.state == "disabled" and row.policy != "faster"]
    counts = {state: sum(row.state == state for row in rows) for state in ("enabled", "native", "disabled")}
    found = ", ".join(f"{number} {state}" for state, number in counts.items() if number)
    if off and has_mps():
        return Check("ops", "warn", found, "mpsops.enable() switches the disabled ones on")
    return Check("ops", "ok", found)


def before_kernels() -> list[Check]:
    return [
        check_machine(),
        check_torch(),
        check_compiler(),
        environment.check(),
        check_device(),
        check_ops(),
    ]
