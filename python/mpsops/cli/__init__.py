"""The command ``mpsops``, also ``python -m mpsops``."""

from typing import Annotated

import typer

from mpsops import __version__

from . import check, coverage, doctor, info, ops, run, sources, tune
from . import compile as compile_command

app = typer.Typer(
    name="mpsops",
    help="PyTorch on Apple GPUs without missing ops: what there is, and whether it works here.",
    epilog="Exit status 2: the command could not run. Each command tells its others.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    # Errors of ours are one line; others, and those of programs that `run` starts, are Python's.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mpsops {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it and exit.")
    ] = False,
) -> None:
    pass


app.command("doctor", epilog=doctor.EXIT_STATUS)(doctor.doctor)
app.command("ops", epilog=ops.EXIT_STATUS)(ops.list_ops)
app.command("check", epilog=check.EXIT_STATUS)(check.check)
app.command("coverage", epilog=coverage.EXIT_STATUS)(coverage.coverage)
app.command("info")(info.info)
app.command("sources", epilog=sources.EXIT_STATUS)(sources.sources)
app.command("compile", epilog=compile_command.EXIT_STATUS)(compile_command.compile_sources)
app.command("tune", epilog=tune.EXIT_STATUS)(tune.tune)
app.command("run", context_settings=run.CONTEXT_SETTINGS, epilog=run.EXIT_STATUS)(run.run)
