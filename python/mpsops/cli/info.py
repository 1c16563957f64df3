"""``mpsops info``: a block for bug reports."""

from collections import Counter

import torch

import mpsops
from mpsops import _C
from mpsops._doctor import environment, machine
from mpsops._tuning import setup, store

from . import _output
from ._options import Json, Simulator


def facts() -> dict[str, str]:
    """Nothing that tells who or where: no host, no user, no path."""
    counts = Counter(row.state for row in mpsops.ops())
    return {
        "mpsops": f"{mpsops.__version__}, built against torch {_C.torch_version}, runtime {_C.runtime}",
        "torch": f"{torch.__version__} ({(torch.version.git_version or 'unknown')[:12]})",
        "Python": machine.python(),
        "system": machine.system(),
        "MPS device": machine.gpu(),
        "compiler": machine.compiler() or "none",
        "ops": ", ".join(f"{number} {state}" for state, number in sorted(counts.items())),
        "tuning": store.summary(setup.this_setup()),
        "environment": environment.check().found,
    }


def info(as_json: Json = False, with_simulator: Simulator = False) -> None:
    """Print what a bug report should say, as Markdown: no host name, no user, no path."""
    if as_json:
        _output.print_json(facts())
        return
    print("| | |\n|---|---|")
    for name, value in facts().items():
        print(f"| {name} | {value} |")
