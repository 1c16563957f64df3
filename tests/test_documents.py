"""What the documents say is so: their code runs, their table is the registry's, their paths exist."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from typer.testing import CliRunner

import mpsops
from mpsops.cli import app
from mpsops.cli.ops import markdown

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
VERIFICATION = (ROOT / "docs/verification.md").read_text()
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
DOCUMENTS += [f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))]


def test_code_of_readme_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 3
    before = {row.name for row in mpsops.ops() if row.state == "enabled"}
    for block in blocks if mpsops._C.runtime == "sim" else blocks[:2]:
        exec(block, {})
    assert {row.name for row in mpsops.ops() if row.state == "enabled"} == before


def test_ops_of_readme() -> None:
    """Ops that were added since are missing from it; what is there is right."""
    table = [line for line in README.splitlines() if re.match(r"\| (family|`\w+`) \|", line)]
    assert len(table) > 10
    assert set(table) <= set(markdown(mpsops.ops()).splitlines())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links(name: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / name).read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert target.startswith("https://") or (ROOT / name).parent.joinpath(target).exists(), target


def test_paths_of_contributing() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    tree = text.split("## Where things are")[1].split("## ")[0]
    folders = re.findall(r"^([\w/]+/)  ", tree, re.MULTILINE)
    assert len(folders) > 10
    for folder in folders:
        assert (ROOT / folder).is_dir(), folder


def verification_rows() -> list[tuple[str, str, str]]:
    """Claim, how it is checked, where."""
    tables = VERIFICATION.split("## ")[1:]
    lines = [line for table in tables for line in table.splitlines() if line.startswith("| ")]
    rows = [tuple(cell.strip() for cell in line.split("|")[1:-1]) for line in lines]
    return [(claim, how, where) for claim, how, where in rows if how != "checked by"]


def test_verification_says_how_and_where() -> None:
    words = set(re.findall(r"^\| ([\w -]+) \| ", VERIFICATION.split("## ")[0], re.MULTILINE)) - {"word"}
    assert len(words) == 9
    rows = verification_rows()
    assert len(rows) > 30
    assert {how for _, how, _ in rows} == words
    for claim, how, where in rows:
        assert bool(where) == (how != "never"), claim
        # Whoever claims a job on a Mac names it.
        assert (how == "hosted runner") == bool(re.search(r"`\w+\.yml`: ", where)), claim


def test_verification_names_what_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for claim, _, where in verification_rows():
        for path in re.findall(r"`((?:tests|cmake|\.github|\.ci)/[\w./-]+)`", where):
            assert (ROOT / path).is_file(), claim
        for target in re.findall(r"`make ([a-z-]+)", where):
            assert target in targets, claim
        for workflow, names in re.findall(r"`(\w+\.yml)`: (`[\w-]+`)", where):
            jobs = yaml.safe_load((ROOT / ".github/workflows" / workflow).read_text())["jobs"]
            assert names.strip("`") in jobs, claim


@pytest.mark.skipif(mpsops._C.runtime != "sim", reason="the output is that of the simulator")
def test_output_of_troubleshooting(tmp_path: Path) -> None:
    """Its program, run again: the same ops from the same lines in the same places, as often."""
    text = (ROOT / "docs/troubleshooting.md").read_text()
    program, _, notebook = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "example.py").write_text(program)
    command = [sys.executable, "-m", "mpsops", "run", "--json", "report.json", "example.py"]
    environment = {**os.environ, "MPSOPS_SIMULATOR": "1"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert "example.py:5: UserWarning: mpsops: aten::linalg_matrix_exp has no MPS kernel." in done.stderr
    trace = mpsops.Trace.from_json((tmp_path / "report.json").read_text())
    places = {"mpsops": "mpsops", "torch": "stock", "CPU path": "cpu"}
    shown = re.findall(r"^ (\w\S+) +(mpsops|torch|CPU path) +(\S.*?) {2,}(\d+) ", text, re.MULTILINE)
    assert len(shown) == 8
    rows = {(row.op.removeprefix("aten::"), row.place, row.source, row.calls) for row in trace.rows}
    for op, place, source, calls in shown:
        assert any(
            (name, where, number) == (op, places[place], int(calls)) and line.endswith(source.split()[-1])
            for name, where, line, number in rows
        ), (op, rows)
    assert f"{trace.totals.calls} calls of ops on mps" in text
    exec(notebook, {"torch": torch, "mpsops": mpsops})


@pytest.mark.skipif(mpsops._C.runtime != "sim", reason="the output is that of the simulator")
def test_coverage_of_troubleshooting() -> None:
    text = (ROOT / "docs/troubleshooting.md").read_text()
    shown = text.split("$ mpsops coverage mode 'linalg_matrix_exp*'\n")[1].split("```")[0]
    result = CliRunner().invoke(app, ["coverage", "mode", "linalg_matrix_exp*"])
    assert result.stdout == shown


def test_contributing_shows_the_files_of_its_example() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for path in ("metal/heaviside.metal", "csrc/ops/heaviside.cpp"):
        assert f"```cpp\n{(ROOT / path).read_text()}```" in text
