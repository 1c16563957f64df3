"""Pictures of a results file, as SVG and PNG: the same file gives the same bytes."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib as mpl

from benchmarks.report.plots import bandwidth, dumbbell, programs, ratio, size_curves, style
from benchmarks.report.results import Results


def figures(results: Results) -> Iterator[tuple[str, object]]:
    """Names, which become parts of file names, and figures; none for what has no two times to compare."""
    yield from ratio.figures(results)
    yield from dumbbell.figures(results)
    yield from size_curves.figures(results)
    yield from bandwidth.figures(results)
    yield from programs.figures(results)


def write(results: Results, stem: Path, formats: Sequence[str]) -> list[Path]:
    """``<stem>--<name>.<format>``: svg, png."""
    with mpl.rc_context(style.SETTINGS):
        return [
            style.save(figure, stem.with_name(f"{stem.name}--{name}.{suffix}"))
            for name, figure in figures(results)
            for suffix in formats
        ]
