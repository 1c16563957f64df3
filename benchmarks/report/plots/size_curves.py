"""For each op a small panel: latency against the bytes that the op must move, a line for each provider."""

from collections import defaultdict
from collections.abc import Iterator
from math import ceil, floor, log10
from typing import Any

from matplotlib.ticker import FuncFormatter, LogLocator

from benchmarks.report.plots import style
from benchmarks.report.plots.dumbbell import missing
from benchmarks.report.results import Entry, Results, plain
from benchmarks.terminal import time_text

COLUMNS, ROWS = 4, 6
LONGEST = 26  # characters of a title's line


def wrapped(name: str) -> str:
    """In two lines, broken after a point or an underscore, where one is too short."""
    if len(name) <= LONGEST:
        return name
    places = [i + 1 for i, character in enumerate(name[:LONGEST]) if character in "._" and i > 2]
    at = places[-1] if places else LONGEST
    return f"{name[:at]}\n{name[at:]}"


def points(entries: list[Entry], provider: str) -> list[tuple[int, float]]:
    """Bytes and milliseconds, by bytes."""
    found = []
    for entry in entries:
        if (time := entry.time(provider)) is not None:
            found.append((entry.rows[provider]["bytes"], time))
    return sorted(found)


def size_text(value: float, _: int) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= unit:
            return f"{value / unit:g} {name}"
    return f"{value:g} B"


def _panel(axes: Any, op: str, entries: list[Entry], results: Results) -> None:
    axes.set_title(wrapped(op), fontsize=7, pad=3)
    for name in results.providers:
        if found := points(entries, name):
            x, y = zip(*found, strict=True)
            axes.plot(
                x, y, color=style.COLOURS[name], marker=style.MARKERS[name], markersize=2.6, linewidth=0.9
            )
    absent = [name for name in results.providers if not points(entries, name)]
    if absent:
        text = missing(entries[0], absent)
        axes.text(0.03, 0.95, text, transform=axes.transAxes, va="top", fontsize=5.5, color="#555555")
    if launch := results.machine.get("launch_ms"):
        axes.axhline(launch, **style.FLOOR, zorder=0)
    axes.grid(**style.GRID)
    axes.tick_params(labelsize=6)


def figures(results: Results) -> Iterator[tuple[str, Any]]:
    ops: dict[str, list[Entry]] = defaultdict(list)
    for entry in plain(results.latencies):
        ops[entry.op].append(entry)

    def longest(op: str) -> int:
        return max(len(points(ops[op], name)) for name in results.providers)

    names = [op for op in ops if longest(op) > 1]  # one point says nothing of sizes
    pages = [names[i : i + COLUMNS * ROWS] for i in range(0, len(names), COLUMNS * ROWS)]
    for number, page in enumerate(pages, 1):
        rows = -(-len(page) // COLUMNS)
        of = f", {number} of {len(pages)}" if len(pages) > 1 else ""
        title = f"Latency of a call, with the wait for it, against the bytes that it must move{of}"
        figure = style.figure(1.2 + 1.45 * rows, title, results)
        grid = figure.subplots(rows, COLUMNS, sharex=True, sharey="row", squeeze=False)
        for axes in grid.flat[len(page) :]:
            axes.set_axis_off()
        for axes in grid.flat[max(len(page) - COLUMNS, 0) : len(page)]:  # the lowest of each column
            axes.tick_params(labelbottom=True)
        for axes, op in zip(grid.flat, page, strict=False):
            _panel(axes, op, ops[op], results)
        for axes in grid[:, 0]:  # the others share their scales
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.xaxis.set_major_locator(LogLocator(numticks=5))
            axes.xaxis.set_major_formatter(FuncFormatter(size_text))
            style.milliseconds(axes.yaxis)
            low, high = axes.get_ylim()
            axes.set_ylim(10 ** floor(log10(low)), 10 ** ceil(log10(high)))
        for axes in grid.flat:
            axes.minorticks_off()
        launch = results.machine.get("launch_ms")
        style.legend(figure, results.providers, f"launch floor, {time_text(launch)}" if launch else None)
        yield f"sizes-{number}" if len(pages) > 1 else "sizes", figure
