"""``mpsops compile``: which sources compile for the simulator."""

import json
from pathlib import Path

import exec_support  # noqa: F401  (skips on a Mac)
import pytest
from typer.testing import CliRunner

from mpsops.cli import app

GOOD = "kernel void one(device int* x) { x[0] = 1; }\nkernel void two(device int* x) {}"
BAD = "#include <own.h>\nkernel void three(device int* x) { x[0] = SIZE; }"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.metal").write_text(GOOD)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "bad.metal").write_text(BAD)
    return tmp_path


def test_reports_what_compiles_and_what_does_not(folder: Path) -> None:
    result = CliRunner().invoke(app, ["compile", str(folder), "--kernels"])
    assert result.exit_code == 1
    assert "'own.h' file not found" in result.output
    assert "good.metal: two" in result.output


def test_json_with_folders_and_macros(folder: Path) -> None:
    (folder / "include").mkdir()
    (folder / "include" / "own.h").write_text("#define HERE 1")
    arguments = [str(folder), "--json", "-I", str(folder / "include"), "-D", "SIZE=3"]
    result = CliRunner().invoke(app, ["compile", *arguments])
    assert result.exit_code == 0, result.output
    found = {Path(one["source"]).name: one["kernels"] for one in json.loads(result.stdout)}
    assert found == {"bad.metal": ["three"], "good.metal": ["one", "two"]}


def test_markdown_has_a_row_for_each_source(folder: Path) -> None:
    result = CliRunner().invoke(app, ["compile", str(folder / "good.metal"), "--markdown"])
    assert f"| `{folder / 'good.metal'}` | yes | 2 |  |" in result.stdout


def test_a_folder_without_sources_is_an_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["compile", str(tmp_path)])
    assert result.exit_code == 2
