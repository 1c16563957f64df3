"""``python -m mpsops run``: the program runs as by ``python``, and the report is written whatever it does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mpsops

ENVIRONMENT = {**os.environ, "MPSOPS_SIMULATOR": "1" if mpsops._C.runtime == "sim" else "0"}
WORK = "import torch\ntorch.mode(torch.ones(3, device='mps'))\n"
QUESTIONS = """
import pickle, sys, __main__
print(__name__, sys.argv[1:], sys.path[0], __main__.value if hasattr(__main__, "value") else None)
class Thing: ...
value = 3
print(pickle.loads(pickle.dumps(Thing())).__class__ is Thing, __main__.value, __file__, __package__)
"""


def python(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return python("-m", "mpsops", "run", *arguments, folder=folder)


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return name


def test_report_and_files(tmp_path: Path) -> None:
    name = write(tmp_path, "script.py", WORK + "print('done')\n")
    files = "--json", "t.json", "--markdown", "t.md", "--html", "t.html"
    result = run(*files, "--sort", "calls", name, folder=tmp_path)
    assert (result.returncode, result.stdout) == (0, "done\n"), result.stderr
    assert "mpsops trace" in result.stderr
    (line,) = [line for line in result.stderr.splitlines() if line.split()[:1] == ["mode"]]
    assert line.split()[1:4] == ["mpsops", "script.py:2", "1"]
    trace = mpsops.Trace.from_json((tmp_path / "t.json").read_text())
    assert [(row.place, row.line) for row in trace.rows if row.op == "aten::mode"] == [("mpsops", 2)]
    assert "| `mode` | mpsops kernel | script.py:2 | 1 |" in (tmp_path / "t.md").read_text()
    assert (tmp_path / "t.html").read_text().startswith("<!doctype html>")


def test_arguments_are_the_scripts(tmp_path: Path) -> None:
    """Also those that look like options of `run`."""
    arguments = [write(tmp_path, "inner/script.py", QUESTIONS), "--json", "x", "-m", "--", "--help"]
    expected = python(*arguments, folder=tmp_path)
    assert expected.returncode == 0, expected.stderr
    result = run(*arguments, folder=tmp_path)
    assert result.stdout == expected.stdout
    assert "'--json', 'x', '-m', '--', '--help'" in result.stdout
    assert not (tmp_path / "x").exists()


def test_module(tmp_path: Path) -> None:
    write(tmp_path, "package/__init__.py", "")
    write(tmp_path, "package/tool.py", QUESTIONS + WORK)
    options = "--json", "t.json", "-m"
    result = run(*options, "package.tool", "--json", "y", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[0] == f"__main__ ['--json', 'y'] {tmp_path} None"
    rows = json.loads((tmp_path / "t.json").read_text())["rows"]
    assert {Path(row["file"]).name for row in rows} == {"tool.py"}


def test_module_of_the_working_directory(tmp_path: Path) -> None:
    """Where the command is started by another script than `python -m`, which puts it first in sys.path."""
    write(tmp_path, "tool.py", "import sys; print(sys.path[0])")
    program = "import sys; sys.path[0] = '/nowhere'; from mpsops.cli import app; app(['run', '-m', 'tool'])"
    result = python("-c", program, folder=tmp_path)
    assert result.stdout == f"{tmp_path}\n", result.stderr


def test_script_that_raises(tmp_path: Path) -> None:
    """The traceback is the script's alone, the status python's; the report comes all the same."""
    name = write(tmp_path, "script.py", WORK + "def f():\n    raise ValueError('no')\nf()\n")
    result = run("--json", "t.json", name, folder=tmp_path)
    assert result.returncode == 1
    traceback, report = result.stderr.split("─", 1)
    plain = write(tmp_path, "plain.py", "\n\ndef f():\n    raise ValueError('no')\nf()\n")
    assert traceback == python(plain, folder=tmp_path).stderr.replace("plain.py", "script.py")
    assert "mode" in report
    assert (tmp_path / "t.json").exists()


@pytest.mark.parametrize(
    ("leave", "status", "message"),
    [("sys.exit(3)", 3, ""), ("sys.exit('sorry')", 1, "sorry\n"), ("sys.exit()", 0, "")],
)
def test_script_that_exits(tmp_path: Path, leave: str, status: int, message: str) -> None:
    name = write(tmp_path, "script.py", f"import sys\n{WORK}{leave}\nprint('not reached')\n")
    result = run(name, folder=tmp_path)
    assert result.returncode == status
    assert result.stdout == ""
    assert "script.py:3" in result.stderr
    assert result.stderr.endswith(message)


def test_interrupted_script(tmp_path: Path) -> None:
    name = write(tmp_path, "script.py", WORK + "raise KeyboardInterrupt\n")
    result = run(name, folder=tmp_path)
    assert result.returncode == 130
    assert "KeyboardInterrupt" in result.stderr
    assert "script.py:2" in result.stderr


def test_what_the_script_leaves_behind_still_works(tmp_path: Path) -> None:
    text = "import atexit\nvalue = 'kept'\natexit.register(lambda: print(value))\n"
    result = run(write(tmp_path, "script.py", text), folder=tmp_path)
    assert (result.returncode, result.stdout) == (0, "kept\n"), result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.py"], "must be a file, got nowhere.py"),
        (["-m", "no_such_module"], "no_such_module"),
        ([], "Missing argument"),
        (["--sort", "name", "x.py"], "'name' is not one of"),
    ],
)
def test_wrong_calls(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = run(*arguments, folder=tmp_path)
    assert result.returncode not in {0, -6, -11}
    assert message in result.stderr
