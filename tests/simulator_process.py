"""Runs a program in a process of its own, for what can happen only once or ends the process."""

import os
import subprocess
import sys
import textwrap


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`import torch, mpsops.simulator` is done for the program; installing is up to it."""
    prelude = "import torch\nimport mpsops.simulator\nfrom mpsops.simulator import install\n"
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTORCH_", "MPSOPS_"))
    }
    return subprocess.run(
        [sys.executable, "-c", prelude + textwrap.dedent(program)],
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def output(program: str, **environment: str) -> str:
    """What the program prints; it must succeed."""
    result = run(program, **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()
