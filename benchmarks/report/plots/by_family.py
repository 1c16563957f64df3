"""Pictures with a line for each family and a dot for each case."""

from collections import defaultdict
from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks.report.plots import style
from benchmarks.report.results import Entry, Results


def sorted_families(entries: list[Entry], value: Callable[[Entry], float]) -> list[tuple[str, list[Entry]]]:
    """The lowest median on top."""
    families: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        families[entry.case["family"]].append(entry)
    return sorted(families.items(), key=lambda each: (median(map(value, each[1])), each[0]))


def figure(families: list[str], title: str, results: Results) -> tuple[Any, Any]:
    made = style.figure(1.4 + 0.19 * len(families), title, results)
    axes = made.add_subplot()
    axes.set_yticks(range(len(families)), families)
    axes.set_ylim(len(families) - 0.4, -0.6)
    axes.grid(axis="both", **style.GRID)
    return made, axes
