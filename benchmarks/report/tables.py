"""The parts that tables of a report are made of."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.environment import ROOT
from benchmarks.report.results import NAMES, Entry
from benchmarks.terminal import number, shape_text, time_text

UNTIMED = {"skipped": "not reached", "oom": "no memory", "timeout": "time-out"}


def guide(folder: Path) -> str:
    """The document about benchmarks, as a link for a page in a folder of the repository."""
    name, folder = "docs/benchmarks.md", folder.resolve()
    if not folder.is_relative_to(ROOT):
        return f"`{name}`"
    return f"[{name}]({Path(os.path.relpath(ROOT / name, folder)).as_posix()})"


def table(header: list[str], rows: Iterable[list[str]], left: int = 1) -> Iterator[str]:
    yield "| " + " | ".join(header) + " |"
    yield "|" + "|".join("---" if i < left else "--:" for i in range(len(header))) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def time_cell(entry: Entry, provider: str) -> str:
    """A time, or in words why there is none."""
    if (time := entry.time(provider)) is not None:
        return time_text(time)
    row = entry.rows.get(provider)
    return UNTIMED.get(row["status"], row["status"]) if row else "not measured"


def ratio_text(ratio: float | None) -> str:
    """With two digits that say something."""
    if ratio is None or 0.1 <= ratio < 100:
        return number(ratio)
    return f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.2g}"


def error_cell(entry: Entry) -> str:
    """Of ours: the largest relative error, or that there is none."""
    row = entry.rows.get(entry.ours, {})
    error = row.get("max_rel_err")
    return "-" if error is None else "0" if error == 0 else f"{error:.0e}"


CASE_HEADER = ["op", "size", "shape", "dtype"]


def case_cells(entry: Entry) -> list[str]:
    case = entry.case
    strided = " strided" if case["layout"] == "strided" else ""
    return [f"`{entry.op}`", case["size"], shape_text(case), case["dtype"] + strided]


def times_header(providers: list[str]) -> list[str]:
    return [NAMES[name] for name in providers]


def comparison_cells(entry: Entry, providers: list[str]) -> list[str]:
    """The time by each, the ratio, the error."""
    return [*(time_cell(entry, name) for name in providers), ratio_text(entry.ratio), error_cell(entry)]
