"""For each size a picture with a line for each op: the time by each provider, or why there is none."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from benchmarks.report.plots import style
from benchmarks.report.results import LATENCY, Entry, Results, plain
from benchmarks.report.tables import UNTIMED
from benchmarks.terminal import time_text
from mpsops._harness.sizes import SIZES

SHORT = {
    "cpu": "CPU",
    "mps": "MPS",
    "mps_fallback": "fallback",
    "mpsops": "mpsops",
    "torch_cuda": "PyTorch",
    "mpsops_cuda": "mpsops",
}


def missing(entry: Entry, providers: list[str]) -> str:
    """``MPS, fallback: unsupported``: who has no time, by the reason."""
    reasons: dict[str, list[str]] = {}
    for name in providers:
        if entry.time(name) is None:
            status = entry.rows[name]["status"] if name in entry.rows else "not measured"
            reasons.setdefault(UNTIMED.get(status, status), []).append(SHORT[name])
    return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())


def _draw(axes: Any, entries: list[Entry], results: Results) -> None:
    """From the slowest to the fastest of each line, then a provider at a time, ours on top."""
    ends = {}
    for y, entry in enumerate(entries):
        times = [time for name in results.providers if (time := entry.time(name)) is not None]
        if times:
            ends[y] = min(times), max(times)
        axes.annotate(
            missing(entry, results.providers),
            (1, y),
            xycoords=("axes fraction", "data"),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=6,
            color="#555555",
        )
    axes.hlines(list(ends), *zip(*ends.values(), strict=True), color="#cccccc", linewidth=2, zorder=1)
    for name in [*results.others, *filter(None, [results.ours])]:
        lines = [y for y, entry in enumerate(entries) if entry.time(name) is not None]
        spreads = [entries[y].spread(name) for y in lines]
        colour = style.COLOURS[name]
        axes.hlines(lines, [low for low, _ in spreads], [high for _, high in spreads], color=colour, zorder=2)
        axes.scatter(
            [entries[y].time(name) for y in lines],
            lines,
            marker=style.MARKERS[name],
            s=22,
            color=colour,
            edgecolors="white",
            linewidths=0.4,
            zorder=3,
        )


def _separators(axes: Any, entries: list[Entry]) -> None:
    """A thin line between families."""
    for y, (above, below) in enumerate(pairwise(entries)):
        if above.case["family"] != below.case["family"]:
            axes.axhline(y + 0.5, color="#dddddd", linewidth=0.5, zorder=0)


def figures(results: Results) -> Iterator[tuple[str, Any]]:
    chosen = plain(results.entries)
    for size in SIZES:
        entries = [entry for entry in chosen if entry.case["size"] == size]
        if not any(entry.time(name) for entry in entries for name in results.providers):
            continue
        title = f"Each op, {size}: {results.measure.words}; whiskers are quartiles"
        figure = style.figure(1.3 + 0.165 * len(entries), title, results)
        axes = figure.add_subplot()
        axes.set_xscale("log")
        axes.set_yticks(range(len(entries)), [entry.op for entry in entries], fontsize=7)
        axes.set_ylim(len(entries) - 0.4, -0.6)
        axes.grid(axis="x", **style.GRID)
        _draw(axes, entries, results)
        _separators(axes, entries)
        style.milliseconds(axes.xaxis)
        launch = results.machine.get("launch_ms") if results.measure is LATENCY else None
        if launch:
            axes.axvline(launch, **style.FLOOR, zorder=0)
        style.legend(figure, results.providers, f"launch floor, {time_text(launch)}" if launch else None)
        yield f"ops-{size}", figure
