"""The programs of examples/, as a user runs them, for a few steps."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"

# Runs a program, and says what of it the CPU did.
WATCHED = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    status = end.code
import mpsops
print("on the CPU:", mpsops.cpu_path_calls())
if mpsops._C.runtime == "sim":
    from mpsops import simulator
    print("left the device:", simulator.fallback_count())
for row in mpsops.ops():
    if row.calls:
        print(f"{row.name}: {row.calls} calls")
sys.exit(status)
"""


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    # What a user has: no access checks, and every setting of this test run gone.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MPSOPS_")}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**environment, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_help(example: Path) -> None:
    result = run(str(example), "--help")
    assert result.returncode == 0, result.stderr
    assert "Usage: " in result.stdout


def test_ctc_digits() -> None:
    """The loss falls, and all of the network and of the loss is computed on the device."""
    result = run("-c", WATCHED, str(EXAMPLES / "ctc_digits.py"), "--steps", "50")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    first, last = map(float, re.findall(r"epoch .*: loss ([0-9.]+)", result.stdout))
    assert last < first / 2
    assert re.search(r"% of 256 strings of unseen digits are read right", result.stdout)
    assert "on the CPU: {}" in result.stdout
    assert "left the device: 0" in result.stdout or sys.platform == "darwin"
    assert "aten::_ctc_loss: 50 calls" in result.stdout or sys.platform == "darwin"


UNLEARNING = """
import torch
def step(optimizer, *_):
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.data.mul_(1.05)
torch.optim.Adam.step = step
"""


def test_ctc_digits_that_does_not_learn() -> None:
    """The exit status tells."""
    code = UNLEARNING + WATCHED
    result = run("-W", "ignore", "-c", code, str(EXAMPLES / "ctc_digits.py"), "--steps", "50")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "The loss did not fall." in result.stdout
