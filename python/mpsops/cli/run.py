"""``python -m mpsops run``: a program, and then where its ops ran."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from mpsops import Trace, trace
from mpsops.tracing.rows import Sort

from .script import run_module, run_script, show_error

EXIT_STATUS = "Exit status: that of the program."

# What follows the program's name is the program's.
CONTEXT_SETTINGS: dict[str, Any] = {"allow_interspersed_args": False}


def run(
    program: Annotated[
        list[str], typer.Argument(metavar="SCRIPT [ARGUMENTS]...", help="The program, and its arguments.")
    ],
    *,
    module: Annotated[
        bool, typer.Option("-m", "--module", help="SCRIPT is the name of a module, as for python -m.")
    ] = False,
    sort: Annotated[Sort, typer.Option(help="What comes first.")] = "time",
    limit: Annotated[int, typer.Option(min=1, help="How many rows to print.")] = 25,
    synchronize: Annotated[
        bool, typer.Option(help="Wait for the device around each op: slower, and times are of the work.")
    ] = False,
    json: Annotated[Path | None, typer.Option(help="Write everything to this file, for programs.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write tables to this file.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with a picture to this file.")] = None,
) -> None:
    """Run a program, then show every op that touched MPS tensors: where it ran, how long, and why.

    The report goes to stderr; stdout is the program's, and so is the exit status.
    """
    if not module and not Path(program[0]).is_file():
        raise typer.BadParameter(f"must be a file, got {program[0]}", param_hint="SCRIPT")
    status: SystemExit | None = None
    with trace(synchronize=synchronize) as recorded:
        try:
            (run_module if module else run_script)(program[0], program[1:])
        except SystemExit as leave:
            status = leave
        except BaseException as error:
            status = SystemExit(show_error(error))
    show(recorded, sort, limit)
    if json is not None:
        json.write_text(recorded.to_json(), encoding="utf-8")
    if markdown is not None:
        markdown.write_text(recorded.to_markdown(sort), encoding="utf-8")
    if html is not None:
        recorded.to_html(html)
    if status is not None:
        raise status


def show(recorded: Trace, sort: Sort, limit: int) -> None:
    sys.stdout.flush()
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 110)
    console.rule("mpsops trace", style="dim")
    console.print(recorded.table(sort, limit))
