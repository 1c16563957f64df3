"""Pictures of a contest: the ratio of every case, and the share of the copy bandwidth of large ones."""

from collections.abc import Callable
from pathlib import Path
from statistics import median_high
from typing import Any

from benchmarks.pairs import Pair, share
from benchmarks.report.contest import NAMES, Contest

COLOURS = {"tiny": "#999999", "odd": "#56b4e9", "batch": "#e69f00", "medium": "#009e73", "large": "#0072b2"}
TARGET_RATIO, TARGET_SHARE = 1.0, 0.8


def _figure(rows: int) -> Any:
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "mpsops", "svg.fonttype": "path", "font.size": 8})
    from matplotlib.figure import Figure

    return Figure(figsize=(8, 1.2 + 0.19 * rows), layout="constrained")


def _save(figure: Any, stem: Path, name: str) -> list[Path]:
    paths = [stem.with_name(f"{stem.name}--{name}{suffix}") for suffix in (".svg", ".png")]
    figure.savefig(paths[0], metadata={"Date": None})
    figure.savefig(paths[1], dpi=150, metadata={"Software": None})
    return paths


def _by_family(pairs: list[Pair], middle: Callable[[list[Pair]], float]) -> list[tuple[str, list[Pair]]]:
    """The families, the lowest on top."""
    families: dict[str, list[Pair]] = {}
    for pair in pairs:
        families.setdefault(pair.ours["family"], []).append(pair)
    return sorted(families.items(), key=lambda each: (middle(each[1]), each[0]))


def _axes(figure: Any, families: list[str], title: str) -> Any:
    axes = figure.add_subplot()
    axes.set_title(title, loc="left")
    axes.set_yticks(range(len(families)), families)
    axes.set_ylim(len(families) - 0.4, -0.6)
    axes.grid(axis="x", which="major", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return axes


def ratio_plot(contest: Contest, stem: Path) -> list[Path]:
    compared = [pair for pair in contest.pairs if pair.ratio is not None]
    if not compared:
        return []
    families = _by_family(compared, lambda found: median_high([pair.ratio or 0.0 for pair in found]))
    figure = _figure(len(families))
    axes = _axes(figure, [name for name, _ in families], f"{contest.title}\n{contest.device}")
    axes.set_xscale("log")
    for size, colour in COLOURS.items():
        points = [
            (pair.ratio, row)
            for row, (_, found) in enumerate(families)
            for pair in found
            if pair.ours["size"] == size
        ]
        if points:
            x, y = zip(*points, strict=True)
            axes.scatter(x, y, s=14, color=colour, alpha=0.75, linewidths=0, label=size)
    axes.axvline(TARGET_RATIO, color="black", linewidth=0.8)
    axes.set_xlabel(
        f"time of {NAMES[contest.theirs]} / time of ours, one dot for each case: right of 1, ours is faster"
    )
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False, ncols=len(COLOURS), columnspacing=1)
    return _save(figure, stem, "ratio")


def bandwidth_plot(contest: Contest, stem: Path) -> list[Path]:
    """Of each op's largest case, ours and theirs, of the copy bandwidth."""
    large = [
        pair
        for pair in contest.pairs
        if pair.ours["size"] == "large"
        and pair.ours["form"] == "functional"
        and share(pair.ours, contest.copy_gbps) is not None
    ]
    if not large:
        return []

    def of(pair: Pair) -> float:
        return share(pair.ours, contest.copy_gbps) or 0.0

    families = _by_family(large, lambda found: median_high([of(pair) for pair in found]))
    figure = _figure(len(families))
    title = f"Share of copy bandwidth ({contest.copy_gbps:.0f} GB/s), large\n{contest.device}"
    axes = _axes(figure, [name for name, _ in families], title)
    for row, (_, found) in enumerate(families):
        for pair in found:
            theirs = share(pair.theirs, contest.copy_gbps) if pair.theirs else None
            if theirs is not None:
                axes.scatter(theirs, row, s=18, facecolors="none", edgecolors="#555555", linewidths=0.7)
            axes.scatter(of(pair), row, s=14, color=COLOURS["large"], alpha=0.75, linewidths=0)
    axes.axvline(TARGET_SHARE, color="black", linewidth=0.8, linestyle=":")
    axes.set_xlim(left=0)
    axes.set_xlabel(
        f"bytes that the op must move / time / copy bandwidth; ours filled, {NAMES[contest.theirs]} hollow"
    )
    return _save(figure, stem, "bandwidth")


def write(contest: Contest, stem: Path) -> list[Path]:
    return ratio_plot(contest, stem) + bandwidth_plot(contest, stem)
