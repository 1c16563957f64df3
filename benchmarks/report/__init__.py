"""Reports from results files alone: CSV, Markdown and pictures; the same file gives the same bytes."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks import files
from benchmarks.report import csv_table, index, markdown, plots
from benchmarks.report.results import Results


def names(sources: Sequence[Path]) -> list[str]:
    """Of the reports: the files' names, with their folders' where two would be the same."""
    counts = Counter(source.stem for source in sources)
    return [
        source.stem if counts[source.stem] == 1 else f"{source.parent.name}--{source.stem}"
        for source in sources
    ]


def write(sources: Sequence[Path], folder: Path, formats: Sequence[str] = ("svg", "png")) -> list[Path]:
    """Writes ``<name>.md``, ``.csv`` and pictures for each file, and ``README.md``, which lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    written, listed = [], []
    for source, name in zip(sources, names(sources), strict=True):
        results = Results(files.load(source))
        stem = folder / name
        pictures = plots.write(results, stem, formats)
        written.append(csv_table.write(results.all_rows, folder / f"{name}.csv"))
        written.append(markdown.write(results, pictures, folder / f"{name}.md"))
        written += pictures
        listed.append((name, results))
    written.append(index.write(listed, folder / "README.md"))
    return written
