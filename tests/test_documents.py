"""What the documents say is so: their code runs, their table is the registry's, their paths exist."""

import re
from pathlib import Path

import pytest

import mpsops
from mpsops.__main__ import markdown

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]


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
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_paths_of_contributing() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    tree = text.split("## Where things are")[1].split("## ")[0]
    folders = re.findall(r"^([\w/]+/)  ", tree, re.MULTILINE)
    assert len(folders) > 10
    for folder in folders:
        assert (ROOT / folder).is_dir(), folder
