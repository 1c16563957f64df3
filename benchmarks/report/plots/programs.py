"""Models and pipelines by their speed, the CPU's is 1; with what was published of these models in 2022."""

from collections.abc import Iterator
from typing import Any

from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.models import CASES, Published
from benchmarks.report.plots import style
from benchmarks.report.programs import PASSES, SUITES, Program, programs
from benchmarks.report.results import NAMES, Results
from benchmarks.report.tables import UNTIMED

PUBLISHED = {case.name: case.published for case in CASES}
HOLLOW = ("d", "v", "p", "h")  # a shape for each source


def _published(program: Program) -> list[Published]:
    case = program.case
    return [each for each in PUBLISHED.get(case["name"], ()) if each.mode == case["pass"]]


def _largest(found: list[Program], mode: str) -> list[Program]:
    """Of each program, the largest batch that two providers measured; else the largest that there is."""

    def order(program: Program) -> tuple[int, int]:
        timed = sum(program.row(name) is not None for name in program.rows)
        return min(timed, 2), program.case["batch_wanted"]

    best: dict[str, Program] = {}
    for program in found:
        case = program.case
        if case["pass"] == mode and (case["name"] not in best or order(program) > order(best[case["name"]])):
            best[case["name"]] = program
    return list(best.values())


def _compared(program: Program) -> bool:
    return any(program.speed(name) is not None for name in program.rows if name != "cpu")


def _missing(program: Program, providers: list[str]) -> str:
    """In words, what has no marker, and what was measured in a smaller batch."""
    words = []
    for name in providers:
        row = program.rows.get(name)
        if row is None or row["status"] != "ok":
            status = row["status"] if row else "not measured"
            words.append(f"{NAMES[name]}: {UNTIMED.get(status, status)}")
        elif row["batch"] != row["batch_wanted"]:
            words.append(f"{NAMES[name]}: batch {row['batch']}")
    words += ["2022: crashed" for each in _published(program) if each.speedup is None]
    return "; ".join(words)


def _offsets(count: int) -> list[float]:
    """Of a row's height: providers that are as fast as each other stay apart."""
    return [0.2 * (2 * i / max(count - 1, 1) - 1) for i in range(count)]


def _panel(axes: Any, found: list[Program], providers: list[str], shapes: dict[str, str]) -> None:
    names = [f"{each.case['name']}  b{each.case['batch_wanted']}" for each in found]
    axes.set_yticks(range(len(found)), names)
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_title(PASSES[found[0].case["pass"]], loc="left")
    axes.grid(axis="both", which="major", **style.GRID)
    axes.axvline(1.0, color=style.COLOURS["cpu"], linewidth=1.2)
    for y, program in enumerate(found):
        for published in _published(program):
            if published.speedup is not None:
                marker = shapes[published.source]
                axes.plot(published.speedup, y, marker, markersize=8, **style.HOLLOW)
        others = [name for name in providers if name != "cpu"]
        for name, offset in zip(others, _offsets(len(others)), strict=True):
            if (speed := program.speed(name)) is not None:
                axes.plot(speed, y + offset, style.MARKERS[name], color=style.COLOURS[name], markersize=4.5)
        if words := _missing(program, providers):
            axes.text(1.01, y, words, transform=axes.get_yaxis_transform(), va="center", fontsize=7)


def _legend(made: Any, providers: list[str], shapes: dict[str, str], small: bool) -> None:
    handles: list[Any] = [Line2D([], [], color=style.COLOURS["cpu"], linewidth=1.2, label="CPU = 1")]
    for name in providers:
        if name != "cpu":
            look: Any = {"color": style.COLOURS[name], "marker": style.MARKERS[name], "markersize": 5}
            handles.append(Line2D([], [], linewidth=0, label=NAMES[name], **look))
    for source, shape in shapes.items():
        label = f"published{', full scale' if small else ''}: {source}"
        handles.append(Line2D([], [], linewidth=0, marker=shape, markersize=8, label=label, **style.HOLLOW))
    made.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False)


def figures(results: Results) -> Iterator[tuple[str, object]]:
    """One for each suite in which something can be compared to the CPU."""
    for suite, title in SUITES.items():
        found = programs(results.all_rows, suite)
        panels = [each for mode in PASSES if (each := _largest(found, mode))]
        if not any(_compared(program) for panel in panels for program in panel):
            continue
        present = {name for program in found for name in program.rows}
        providers = [name for name in NAMES if name in present]
        published = [each for panel in panels for program in panel for each in _published(program)]
        sources = sorted({each.source for each in published if each.speedup is not None})
        shapes = dict(zip(sources, HOLLOW, strict=False))
        rows = sum(map(len, panels))
        small = all(program.case["scale"] == "small" for program in found)
        scale = ", small scale" if small else ""
        height = 1.2 + 0.2 * (rows + len(sources)) + 0.5 * len(panels)
        made = style.figure(height, f"{title}: speed against the CPU{scale}", results)
        ratios = [len(panel) for panel in panels]
        grid = made.subplots(len(panels), sharex=True, squeeze=False, gridspec_kw={"height_ratios": ratios})
        for (axes,), panel in zip(grid, panels, strict=True):
            _panel(axes, panel, providers, shapes)
        last = grid[-1][0]
        last.set_xscale("log")
        last.set_xlabel("items in a second / those of the CPU; right of 1 is faster")
        last.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        last.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        last.xaxis.set_minor_formatter(NullFormatter())
        _legend(made, providers, shapes, small)
        yield suite, made
