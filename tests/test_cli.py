"""The command as a whole: how it starts, what it prints into a pipe, what it leaves alone."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import mpsops
from mpsops import _startup
from mpsops.cli import _output, app

ON_LINUX = pytest.mark.skipif(mpsops._C.runtime != "sim", reason="a Mac has an MPS device")
COMMANDS = ("doctor", "ops", "coverage", "info", "sources", "compile")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("MPSOPS_", "PYTORCH_"))
    }
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "mpsops", *arguments],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_help_names_every_command() -> None:
    text = CliRunner().invoke(app, ["--help"]).output
    for name in COMMANDS:
        assert name in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_json_and_help(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0
    assert "--json" in result.output


def test_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"mpsops {mpsops.__version__}\n"


def test_the_console_script_is_the_module() -> None:
    script = Path(sys.executable).parent / "mpsops"
    text = subprocess.run(
        [script, "--version"], capture_output=True, text=True, check=True, timeout=120
    ).stdout
    assert text == run("--version").stdout == f"mpsops {mpsops.__version__}\n"


def test_a_pipe_gets_plain_text_and_whole_names() -> None:
    """Whatever the width: programs read it."""
    result = run("ops", TERM="xterm-256color", COLUMNS="40")
    assert result.returncode == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == [row.name for row in mpsops.ops()]
    assert "\x1b" not in result.stdout + result.stderr
    assert "…" not in result.stdout


def test_an_unknown_command_is_a_usage_error() -> None:
    assert run("opps").returncode == 2


def test_importing_mpsops_imports_no_command_line() -> None:
    code = "import sys, mpsops; print([name for name in ('typer', 'rich', 'yaml') if name in sys.modules])"
    text = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert text == "[]\n"


def test_completion_knows_commands_and_families() -> None:
    def complete(line: str) -> str:
        words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        return run(_MPSOPS_COMPLETE="complete_bash", **words).stdout

    assert "doctor" in complete("mpsops d")
    assert "pdist" in complete("mpsops ops --family pd")


@pytest.mark.parametrize(("argv0", "explained"), [("-m", True), ("/bin/mpsops", True), ("train.py", False)])
def test_a_torch_that_does_not_fit(
    argv0: str, explained: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command says what it is; a program gets the exception."""
    monkeypatch.setattr(sys, "argv", [argv0])
    error = ImportError("this mpsops has no build for torch 2.99.0")
    error.add_note("a note")
    with pytest.raises(SystemExit if explained else ImportError) as raised, _startup.explained():
        raise error
    if explained:
        assert raised.value.code == 2
        assert capsys.readouterr().err == "mpsops: this mpsops has no build for torch 2.99.0\na note\n"


def test_a_torch_that_does_not_fit_in_a_process(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import torch\ntorch.__version__ = '2.99.0'\n")
    result = run("doctor", PYTHONPATH=str(tmp_path))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("mpsops: this mpsops has no build for torch 2.99.0, only for torch 2.")
    assert "Traceback" not in result.stderr


@ON_LINUX
def test_simulator() -> None:
    states = {
        name: {row["state"] for row in json.loads(run("ops", "--json", *name).stdout)}
        for name in [(), ("--simulator",)]
    }
    assert states == {(): {"disabled"}, ("--simulator",): {"enabled"}}


@pytest.mark.skipif(mpsops._C.runtime == "sim", reason="needs a real device")
def test_simulator_on_a_mac_is_refused() -> None:
    assert run("ops", "--simulator").returncode == 2


@pytest.mark.parametrize("width", [60, 80, 140])
def test_a_terminal_gets_everything_too(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any width: long names wrap, no column vanishes."""
    out = io.StringIO()
    monkeypatch.setattr(_output.sys, "stdout", out)
    monkeypatch.setattr(out, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    name = "aten::adaptive_max_pool3d_backward.grad_input"
    row = (name, "disabled", 1, "float32 float16 bfloat16", "because of this")
    _output.print_rows(("op", "state", "kernels>", "dtypes", "reason"), [row])
    text = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())
    assert max(map(len, text.splitlines())) <= width
    assert [title in text for title in ("op", "state", "kernels", "dtypes", "reason")] == [True] * 5
    assert all(word in text for word in ("disabled", "bfloat16", "because"))
    assert text.count("_") == name.count("_")
