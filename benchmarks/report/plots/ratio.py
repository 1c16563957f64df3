"""The ratio of every case to the fastest of the others, by family."""

from collections.abc import Iterator
from typing import Any

from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmarks.report.plots import by_family
from benchmarks.report.results import NAMES, Results

COLOURS = {"tiny": "#999999", "odd": "#56b4e9", "batch": "#e69f00", "medium": "#009e73", "large": "#0072b2"}


def figures(results: Results) -> Iterator[tuple[str, Any]]:
    timed = [entry for entry in results.entries if entry.ratio is not None]
    if not timed:
        return
    families = by_family.sorted_families(timed, lambda entry: entry.ratio or 0.0)
    others = NAMES[results.others[0]] if len(results.others) == 1 else "the fastest of the others"
    title = f"mpsops against {others}: {results.measure.words}"
    figure, axes = by_family.figure([name for name, _ in families], title, results)
    axes.set_xscale("log")
    for size, colour in COLOURS.items():
        points = [
            (entry.ratio, row)
            for row, (_, found) in enumerate(families)
            for entry in found
            if entry.case["size"] == size
        ]
        if points:
            x, y = zip(*points, strict=True)
            axes.scatter(x, y, s=14, color=colour, alpha=0.75, linewidths=0, label=size)
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, 0.5), max(high, 2.0))
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(f"time of {others} / time of mpsops, a dot for each case: right of 1, mpsops is faster")
    figure.legend(loc="outside lower left", frameon=False, ncols=len(COLOURS))
    yield "ratio", figure
