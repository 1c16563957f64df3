"""What torch does without mpsops' kernels: a child process in which nothing is registered.

On Linux it still needs the simulated device, whose ops are those of torch's own MPS backend.
"""

import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

PROGRAM = Path(__file__).with_name("program.py")


@dataclass(frozen=True)
class Failure:
    """An exception, and the program's lines that led to it: (line number, source)."""

    kind: str
    text: str
    lines: list[tuple[int, str]]

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


class Recorder(TorchDispatchMode):
    """Keeps the arguments of the first call to each of the named overloads."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names = names
        self.calls: dict[str, tuple[Any, Any]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name = func.name()
        if name in self.names and name not in self.calls:
            arguments = (args, dict(kwargs or {}))
            self.calls[name] = tree_map_only(torch.Tensor, lambda t: t.detach().cpu().clone(), arguments)
        return func(*args, **(kwargs or {}))


def _failure(error: Exception) -> Failure:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [(f.lineno or 0, f.line or "") for f in frames if f.filename == str(PROGRAM)]
    return Failure(type(error).__name__, str(error), lines)


def _run_program() -> Failure | None:
    try:
        runpy.run_path(str(PROGRAM), run_name="__main__")
    except (NotImplementedError, RuntimeError) as error:
        return _failure(error)
    return None


def _replay(path: str) -> dict[str, Failure | None]:
    outcomes: dict[str, Failure | None] = {}
    for name, arguments in torch.load(path).items():
        args, kwargs = tree_map_only(torch.Tensor, lambda t: t.to("mps"), arguments)
        function, _, overload = name.removeprefix("aten::").partition(".")
        try:
            getattr(getattr(torch.ops.aten, function), overload or "default")(*args, **kwargs)
            outcomes[name] = None
        except (NotImplementedError, RuntimeError) as error:
            outcomes[name] = _failure(error)
    return outcomes


def _in_child(*arguments: str) -> dict[str, Failure | None]:
    environment = {**os.environ, "MPSOPS_AUTOPATCH": "0", "PYTORCH_ENABLE_MPS_FALLBACK": "0"}
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", __spec__.name, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answers = json.loads(child.stdout.splitlines()[-1])
    return {name: Failure(**answer) if answer else None for name, answer in answers.items()}


def run_program() -> Failure | None:
    """Run the program on stock torch; its error, or None if this torch can run it."""
    return _in_child()["program"]


def replay(recorder: Recorder) -> dict[str, Failure | None]:
    """Make the recorded calls on stock torch: by overload, the error, or None."""
    with tempfile.NamedTemporaryFile(suffix=".pt") as file:
        torch.save(recorder.calls, file)
        file.flush()
        return _in_child(file.name)


def main() -> None:
    import mpsops

    if sys.platform != "darwin":
        from mpsops import simulator

        simulator.install()
    registered = [row.name for row in mpsops.ops() if row.state == "enabled"]
    if registered:
        raise SystemExit(f"not stock torch: mpsops has registered {registered}")
    outcomes = _replay(sys.argv[1]) if len(sys.argv) > 1 else {"program": _run_program()}
    print(json.dumps({name: failure and asdict(failure) for name, failure in outcomes.items()}))


if __name__ == "__main__":
    main()
