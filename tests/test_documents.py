"""What the documents say is so: their code runs, their table is the registry's, their paths exist."""

import re
from pathlib import Path

import pytest
import yaml

import mpsops
from mpsops.cli.ops import markdown

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
VERIFICATION = (ROOT / "docs/verification.md").read_text()
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/verification.md"]


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
    assert len(words) == 7
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
