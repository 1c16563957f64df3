"""What follows a run for others: where its file goes, whether it may leave this machine, what comes next."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import checking, files
from benchmarks.environment import ROOT

DRY = ROOT / "build" / "contribution"


def path_for(result: dict[str, Any], suite: str, dry: bool) -> Path:
    """Where nothing is yet: a contribution replaces no other."""
    path = files.default_path(result, suite)
    return files.unused(DRY / path.name if dry else path)


def problems(path: Path) -> Iterator[str]:
    """Of the schema, and of what must not leave this machine."""
    yield from checking.problems(path)
    yield from checking.personal(files.load(path), checking.personal_words())


def next_steps(path: Path, dry: bool) -> str:
    place = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    if dry:
        return f"A dry run: {place} is for looking at, not for handing in."
    return f"""Look at it, then hand in this one file in a pull request:

  git switch -c results
  git add {place}
  git commit -m "benchmarks: results of one more machine"

To see it as a report: python -m benchmarks report {place}"""
