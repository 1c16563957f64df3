"""``mpsops ops``: the ops that mpsops implements, and where each stands in the installed torch."""

from collections import Counter
from typing import Annotated

import typer

from mpsops import OpRow, ops
from mpsops._patching import State, has_mps

from . import _output
from ._options import Json, Patterns, Simulator, matches

EXIT_STATUS = "Exit status: 0, or 1 if no op matches."


def markdown(rows: list[OpRow]) -> str:
    """One line for each family: its ops without overloads, and what torch makes of them."""
    lines = ["| family | ops | torch on MPS | dtypes |", "|---|---|---|---|"]
    for family in sorted({row.family for row in rows}):
        members = [row for row in rows if row.family == family]
        names = dict.fromkeys(row.name.removeprefix("aten::").split(".")[0] for row in members)
        dtypes = dict.fromkeys(dtype for row in members for dtype in row.dtypes)
        cells = (
            f"`{family}`",
            " ".join(f"`{name}`" for name in names),
            ", ".join(sorted({row.policy for row in members})),
            " ".join(dtypes),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _families(incomplete: str) -> list[str]:
    return sorted({row.family for row in ops() if row.family.startswith(incomplete)})


def _details(rows: list[OpRow]) -> list[tuple[object, ...]]:
    return [(row.name, row.state, row.max_dispatches, " ".join(row.dtypes), row.reason) for row in rows]


def list_ops(
    patterns: Patterns = None,
    *,
    state: Annotated[State | None, typer.Option(metavar="STATE", help="Only those in this state.")] = None,
    family: Annotated[
        str | None, typer.Option(help="Only those of this family.", autocompletion=_families)
    ] = None,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            "-v",
            help="Dtypes too, and how many kernels a call launches, at most.",
        ),
    ] = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="By family, as a table for a document.")
    ] = False,
    as_json: Json = False,
    with_simulator: Simulator = False,
) -> None:
    """List the ops that mpsops implements, and where each stands in the installed torch.

    The states:

    * enabled: mpsops' kernel is in use
    * disabled: it is not; the reason says why
    * native: torch has its own kernel, and mpsops leaves the op to it
    * absent: this torch has no such op
    """
    rows = [
        row
        for row in ops()
        if matches(row.name, patterns) and state in {None, row.state} and family in {None, row.family}
    ]
    if as_json:
        _output.print_json(rows)
    elif as_markdown:
        print(markdown(rows))
    elif verbose:
        columns = ("op", "state", "kernels>", "dtypes", "reason")
        _output.print_rows(columns, _details(rows), header=True)
    elif rows:
        _output.print_rows(("op", "state", "reason"), [(row.name, row.state, row.reason) for row in rows])
    if not rows:
        _output.error("no op matches")
        raise typer.Exit(1)
    if not as_json and not as_markdown:
        counts = ", ".join(f"{number} {name}" for name, number in Counter(row.state for row in rows).items())
        hint = "" if has_mps() else ". This process has no MPS device; on Linux, --simulator makes one"
        _output.note(f"{len(rows)} overloads: {counts}{hint}.")
