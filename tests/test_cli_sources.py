"""``mpsops sources``."""

import json
import subprocess
from pathlib import Path

from typer.testing import CliRunner

from mpsops.cli import app

ROOT = Path(__file__).parent.parent
FAMILIES = sorted(path.stem for path in (ROOT / "metal").glob("*.metal"))


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["sources", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_sources(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "sources"
    text = run(str(folder))
    assert sorted(path.stem for path in folder.iterdir()) == FAMILIES
    for path in folder.iterdir():
        source = path.read_text()
        assert source.startswith(f'#line 1 "metal/{path.name}"\n')
        assert "#include <c10/" not in source
    assert text.startswith(f"{len(FAMILIES)} families in {folder}.")


def test_the_printed_line_compiles_each(tmp_path: Path) -> None:
    """With a stand-in for xcrun, which refuses one family."""
    folder = tmp_path / "sources"
    line = run(str(folder)).splitlines()[1]
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


def test_json(tmp_path: Path) -> None:
    files = json.loads(run("--json", str(tmp_path)))
    assert files == {family: str(tmp_path / f"{family}.metal") for family in FAMILIES}


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(app, ["sources", str(tmp_path / "file" / "folder")])
    assert result.exit_code == 2
    assert "must be a folder to write to" in result.stderr
