"""The share of the copy bandwidth that large cases reach, by family."""

from collections.abc import Iterator
from typing import Any

from matplotlib.lines import Line2D

from benchmarks.pairs import Row, share
from benchmarks.report.plots import by_family, style
from benchmarks.report.results import NAMES, Entry, Results

TARGET = 0.8
HOLLOW = "#555555"


def figures(results: Results) -> Iterator[tuple[str, Any]]:
    copy = results.machine.get("copy_gbps")

    def of(row: Row | None) -> float:
        return share(row or {}, copy) or 0.0

    def ours(entry: Entry) -> float:
        return of(entry.rows.get(results.ours))

    # Of those that run on the same device, where all is done there.
    others = [name for name in results.others if name in {"mps", "torch_cuda"}]
    others = [name for name in others if any(of(row) for row in results.rows if row["provider"] == name)]
    large = [
        entry
        for entry in results.entries
        if entry.case["size"] == "large" and entry.case["form"] == "functional" and ours(entry)
    ]
    if not large:
        return
    families = by_family.sorted_families(large, ours)
    title = f"Large cases: share of the copy bandwidth, which is {copy:.0f} GB/s"
    figure, axes = by_family.figure([name for name, _ in families], title, results)
    for name in others:
        rows = [(entry.rows.get(name), y) for y, (_, found) in enumerate(families) for entry in found]
        shares = [(of(row), y) for row, y in rows if of(row)]
        axes.scatter(*zip(*shares, strict=True), s=18, facecolors="none", edgecolors=HOLLOW, linewidths=0.7)
    points = [(ours(entry), y) for y, (_, found) in enumerate(families) for entry in found]
    axes.scatter(*zip(*points, strict=True), s=14, color=style.COLOURS["mpsops"], alpha=0.75, linewidths=0)
    axes.axvline(TARGET, color="black", linewidth=0.8, linestyle=":")
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axes.set_xlabel("bytes that the op must move, by time, by the copy bandwidth of the same run")
    dot = {"marker": "o", "markersize": 4, "linewidth": 0}
    marks = [Line2D([], [], color=style.COLOURS["mpsops"], label="mpsops", **dot)]
    marks += [Line2D([], [], color=HOLLOW, fillstyle="none", label=NAMES[name], **dot) for name in others]
    marks.append(Line2D([], [], color="black", linewidth=0.8, linestyle=":", label=f"{100 * TARGET:.0f} %"))
    figure.legend(handles=marks, loc="outside lower left", frameon=False, ncols=len(marks))
    yield "bandwidth", figure
