"""``mpsops info``."""

import getpass
import json
import platform
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import mpsops
from mpsops.cli import app


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["info", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_markdown_says_what_json_says() -> None:
    facts = json.loads(run("--json"))
    lines = run().splitlines()
    assert lines[:2] == ["| | |", "|---|---|"]
    assert lines[2:] == [f"| {name} | {value} |" for name, value in facts.items()]


def test_facts() -> None:
    facts = json.loads(run("--json"))
    assert facts["torch"].startswith(torch.__version__)
    assert facts["mpsops"].startswith(mpsops.__version__)
    assert f"{sum(row.state == 'enabled' for row in mpsops.ops())} enabled" in facts["ops"]
    assert facts["MPS device"] != "none"


def test_nothing_tells_who_or_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPSOPS_CACHE_DIR", str(Path.home() / "a long folder of mine"))
    text = run()
    assert "MPSOPS_CACHE_DIR" in text
    for secret in (platform.node(), f"/{getpass.getuser()}", str(Path.home()), str(Path.cwd())):
        assert secret not in text
