"""``mpsops coverage``: what each ATen op of the installed torch comes to on MPS."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from mpsops._coverage import groups, table, versions
from mpsops._coverage.table import AtenRow, State
from mpsops._patching import has_mps

from . import _output
from ._options import Json, Patterns, Simulator, matches

EXIT_STATUS = "Exit status: 0, 1 if no op matches, or 2 if a list of ops cannot be read."
DIFFERENCES = {
    "gained": "native here, not there",
    "lost": "native there, not here",
    "added": "native here, no such op there",
    "removed": "native there, no such op here",
}


def _groups(incomplete: str) -> list[str]:
    return [name for name in groups.NAMES if name.startswith(incomplete)]


def _known_group(name: str | None) -> str | None:
    if name is not None and name not in groups.NAMES:
        raise typer.BadParameter(f"must be one of {', '.join(groups.NAMES)}, got {name}")
    return name


def _print_summary(rows: list[AtenRow]) -> None:
    by_group = table.by_group(rows)
    by_group["total"] = table.count(rows)
    lines = [(name, sum(counts.values()), *counts.values()) for name, counts in by_group.items()]
    columns = ("group", "ops>", *(f"{state}>" for state in table.STATES))
    _output.print_rows(columns, lines, header=True)


def _fail(error: Exception) -> NoReturn:
    _output.error(str(error))
    raise typer.Exit(2) from error


def _print_differences(other: Path, patterns: list[str] | None, as_json: bool) -> None:
    try:
        difference = versions.compare(other)
    except (OSError, ValueError) as error:
        _fail(error)
    found = {
        kind: [name for name in getattr(difference, kind) if matches(name, patterns)] for kind in DIFFERENCES
    }
    if as_json:
        _output.print_json(found)
        return
    lines = [(name, DIFFERENCES[kind]) for kind, names in found.items() for name in names]
    _output.print_rows(("op", "difference"), lines)
    counts = ", ".join(f"{len(found[kind])} {text}" for kind, text in DIFFERENCES.items())
    _output.note(f"Overloads: {counts}.")


def coverage(
    patterns: Patterns = None,
    *,
    group: Annotated[
        str | None,
        typer.Option(help="Only those of this group.", autocompletion=_groups, callback=_known_group),
    ] = None,
    state: Annotated[State | None, typer.Option(metavar="STATE", help="Only those in this state.")] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Instead, compare with the native_functions.yaml of another torch.",
        ),
    ] = None,
    as_json: Json = False,
    with_simulator: Simulator = False,
) -> None:
    """Tell what each ATen op of the installed torch comes to on MPS.

    A summary by group; with names, `--group` or `--state`, op by op. All overloads count: in-place, out= and
    backward too. The states:

    * native: torch has an MPS kernel
    * mpsops: mpsops has one
    * composite: made of other ops; runs where they do
    * cpu: runs on the CPU
    * missing: cannot run

    With `--against`, torch's own kernels here and in another version of torch, whose list of ops lies in its
    wheel: `torchgen/packaged/ATen/native/native_functions.yaml`.
    """
    if against is not None:
        _print_differences(against, patterns, as_json)
        return
    try:
        all_rows = table.Table().rows()
    except (OSError, ValueError) as error:  # a torch that comes without its list of ops
        _fail(error)
    rows = [
        row
        for row in all_rows
        if matches(row.name, patterns) and group in {None, row.group} and state in {None, row.state}
    ]
    listing = bool(patterns or group or state)
    if as_json:
        summary = {"total": table.count(rows), "groups": table.by_group(rows)}
        _output.print_json({**summary, "ops": [vars(row) for row in rows]})
    elif listing:
        _output.print_rows(("op", "state", "reason"), [(row.name, row.state, row.reason) for row in rows])
    else:
        _print_summary(rows)
    if not rows:
        _output.error("no op matches")
        raise typer.Exit(1)
    if not as_json:
        counts = ", ".join(f"{number} {name}" for name, number in table.count(rows).items() if number)
        _output.note(f"{len(rows)} overloads: {counts}.")
        if not listing:
            _output.note("; ".join(f"{state}: {text}" for state, text in table.MEANING.items()) + ".")
            _output.note(
                "List them with --group, --state or names: mpsops coverage --state missing 'linalg_*'"
            )
        if not has_mps():
            _output.note("This process has no MPS device: these are the states that a Mac would have.")
