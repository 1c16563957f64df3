"""Reports from results files alone: CSV, Markdown and pictures; the same file gives the same bytes."""

from pathlib import Path

from benchmarks import files
from benchmarks.report import csv_table, markdown, plots
from benchmarks.report.contest import contest_of


def write(source: Path, folder: Path) -> list[Path]:
    """Writes ``<stem>.csv``, ``.md``, and pictures where two providers measured the same cases."""
    result = files.load(source)
    contest = contest_of(result)
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / source.stem
    written = [csv_table.write(result, stem.with_name(f"{source.stem}.csv"))]
    pictures = plots.write(contest, stem) if contest is not None else []
    written.append(markdown.write(result, contest, pictures, stem.with_name(f"{source.stem}.md")))
    return written + pictures
