"""The page that lists the machines of several reports."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.report.counts import compared
from benchmarks.report.results import Results
from benchmarks.report.tables import guide, ratio_text, table

HEAD = """# Benchmark results

One line for each results file, made by `python -m benchmarks report`. How to read them, and how to
add a machine: {guide}.
"""
HEADER = ["machine", "torch", "mpsops", "measured", "cases", "right"]
HEADER += ["ratio to the fastest of the others, median"]


def lines(reports: list[tuple[str, Results]], folder: Path) -> Iterator[str]:
    yield HEAD.format(guide=guide(folder))
    rows = []
    for name, results in reports:
        right = sum(entry.time(results.ours) is not None for entry in results.entries)
        noisy = " (noisy)" if results.noisy else ""
        rows.append(
            [
                f"[{results.device}]({name}.md){noisy}",
                results.env["torch"],
                results.env["mpsops"],
                results.env["utc"][:10],
                str(len(results.entries)),
                str(right),
                ratio_text(compared(results.entries).median),
            ]
        )
    yield from table(HEADER, rows, left=4)
    if any(results.simulated for _, results in reports):
        yield "\nA simulator's times are no times of a Mac: they say what a test costs on that processor."


def write(reports: list[tuple[str, Results]], path: Path) -> Path:
    path.write_text("\n".join(lines(reports, path.parent)) + "\n")
    return path
