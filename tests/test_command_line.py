"""``python -m mpsops``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import mpsops
from mpsops.__main__ import main

ROOT = Path(__file__).parent.parent
FAMILIES = sorted(path.stem for path in (ROOT / "metal").glob("*.metal"))


def run(*arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setattr(sys, "argv", ["mpsops", *arguments])
    main()
    return capsys.readouterr().out


def test_rows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(monkeypatch=monkeypatch, capsys=capsys).splitlines()
    assert [line.split()[:2] for line in lines] == [[row.name, row.state] for row in mpsops.ops()]


def test_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(run("--json", monkeypatch=monkeypatch, capsys=capsys))
    assert [(row["name"], row["state"], row["dtypes"]) for row in rows] == [
        (row.name, row.state, list(row.dtypes)) for row in mpsops.ops()
    ]


def test_sources(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "new" / "sources"
    text = run("--sources", str(folder), monkeypatch=monkeypatch, capsys=capsys)
    assert sorted(path.stem for path in folder.iterdir()) == FAMILIES
    for path in folder.iterdir():
        source = path.read_text()
        assert source.startswith(f'#line 1 "metal/{path.name}"\n')
        assert "#include <c10/" not in source
    assert text.startswith(f"{len(FAMILIES)} families in {folder}.")


def test_the_printed_line_compiles_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With a stand-in for xcrun, which refuses one family."""
    folder = tmp_path / "sources"
    line = run("--sources", str(folder), monkeypatch=monkeypatch, capsys=capsys).splitlines()[1]
    xcrun = tmp_path / "xcrun"
    xcrun.write_text(
        '#!/bin/sh\nfor last; do :; done\necho "$last"\ncase $last in */mode.metal) exit 1;; esac\n'
    )
    xcrun.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-c", line], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    compiled = [Path(name).stem for name in done.stdout.splitlines() if not name.startswith("FAILED")]
    assert sorted(compiled) == FAMILIES
    assert f"FAILED: {folder}/mode.metal" in done.stdout
