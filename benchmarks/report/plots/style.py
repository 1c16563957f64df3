"""What all pictures share: colours, axes of times, how a figure is saved."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmarks.report.results import NAMES, Results

SETTINGS = {
    "svg.hashsalt": "mpsops",
    "svg.fonttype": "none",  # text stays text: small files, words that can be found
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
}
WIDTH = 8.0  # inches: of a page
GRID = {"color": "#dddddd", "linewidth": 0.6}
HOLLOW: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": "#333333", "markeredgewidth": 1.0}
FLOOR = {"color": "#cc79a7", "linewidth": 1.0, "linestyle": (0, (4, 2))}
# Okabe and Ito's colours, and a shape each, so that colour is never the only difference.
COLOURS = {
    "cpu": "#777777",
    "mps": "#56b4e9",
    "mps_fallback": "#d55e00",
    "mpsops": "#0072b2",
    "torch_cuda": "#d55e00",
    "mpsops_cuda": "#0072b2",
}
MARKERS = {
    "cpu": "s",
    "mps": "^",
    "mps_fallback": "D",
    "mpsops": "o",
    "torch_cuda": "D",
    "mpsops_cuda": "o",
}


def figure(height: float, title: str, results: Results) -> Any:
    """With a title, and under it what it was measured on."""
    made = Figure(figsize=(WIDTH, height), layout="constrained")
    made.suptitle(f"{title}\n{results.place}", x=0.01, ha="left", fontsize=9)
    return made


def legend(made: Any, providers: Iterable[str], floor: str | None) -> None:
    """Below, in one line: a provider's marker, and what the line of the launch floor is."""
    handles = [
        Line2D(
            [], [], color=COLOURS[name], marker=MARKERS[name], markersize=5, linewidth=0, label=NAMES[name]
        )
        for name in providers
    ]
    if floor:
        handles.append(Line2D([], [], **FLOOR, label=floor))
    made.legend(handles=handles, loc="outside lower left", ncols=len(handles), frameon=False)


def milliseconds(axis: Any) -> None:
    """Powers of ten, in the unit in which they are read."""

    def text(value: float, _: int) -> str:
        if value < 0.1:
            return f"{1e3 * value:g} µs"
        return f"{value:g} ms" if value < 1e3 else f"{value / 1e3:g} s"

    axis.set_major_formatter(FuncFormatter(text))
    axis.set_minor_formatter(NullFormatter())


def save(made: Any, path: Path) -> Path:
    """By the path's suffix."""
    if path.suffix == ".svg":
        made.savefig(path, metadata={"Date": None})
    else:
        made.savefig(path, dpi=150, metadata={"Software": None})
    return path
