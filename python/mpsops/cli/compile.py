"""``mpsops compile``: whether Metal sources compile for the simulator, and which kernels they have."""

import os
from pathlib import Path
from typing import Annotated

import typer

from mpsops.msl import _survey

from . import _output
from ._options import Json

EXIT_STATUS = "Exit status: 0, 1 if a source does not compile, or 2 if there is no source."


def compile_sources(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Files, or folders with everything below: `.metal`, and strings with kernels in programs.",
            exists=True,
        ),
    ],
    include: Annotated[
        list[Path] | None, typer.Option("-I", "--include", help="A folder with headers.", file_okay=False)
    ] = None,
    define: Annotated[
        list[str] | None, typer.Option("-D", "--define", metavar="NAME[=VALUE]", help="A macro.")
    ] = None,
    *,
    kernels: Annotated[bool, typer.Option("--kernels", help="The names of the kernels too.")] = False,
    checked: Annotated[
        bool, typer.Option("--checked", help="With checks of bounds, as MPSOPS_SIM_CHECK=1.")
    ] = False,
    jobs: Annotated[
        int, typer.Option("-j", "--jobs", help="How many at a time.", min=1, show_default="the processors")
    ] = os.cpu_count() or 1,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="As a table for a document.")] = False,
    as_json: Json = False,
) -> None:
    """Compile Metal sources for the simulator: what does, what does not, and why.

    It says whether a kernel runs on Linux. Whether Apple's compiler takes it is another question.
    """
    sources = [source for path in paths for source in _survey.find(path)]
    if not sources:
        _output.error(f"no Metal source in {', '.join(map(str, paths))}")
        raise typer.Exit(2)
    outcomes = list(
        _survey.survey(sources, include=include or [], defines=define or [], checked=checked, jobs=jobs)
    )
    if as_json:
        _output.print_json(outcomes)
    elif as_markdown:
        print(markdown(outcomes))
    else:
        _output.print_rows(("source", "result", "kernels>", "error"), [_row(one) for one in outcomes], True)
        if kernels:
            print("\n".join(f"{one.source}: {name}" for one in outcomes for name in one.kernels))
    good = sum(one.compiles for one in outcomes)
    if not as_json:
        count = sum(len(one.kernels) for one in outcomes)
        _output.note(f"{good} of {len(outcomes)} sources compile, with {count} kernels.")
    if good < len(outcomes):
        raise typer.Exit(1)


def markdown(outcomes: list[_survey.Outcome]) -> str:
    """A row for each source, errors without their place."""
    lines = ["| source | compiles | kernels | error |", "|---|---|---|---|"]
    for one in outcomes:
        error = one.error.partition("error: ")[2] or one.error
        cells = (f"`{one.source}`", "yes" if one.compiles else "no", len(one.kernels), error)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _row(one: _survey.Outcome) -> tuple[object, ...]:
    return (one.source, "ok" if one.compiles else "fail", len(one.kernels), one.error)
