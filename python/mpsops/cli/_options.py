"""Options that several commands have."""

from fnmatch import fnmatchcase
from typing import Annotated

import typer

from mpsops import simulator


def _install(wanted: bool) -> None:
    if not wanted:
        return
    try:
        simulator.install()
    except RuntimeError as error:
        raise typer.BadParameter(str(error)) from error


Json = Annotated[bool, typer.Option("--json", help="For other programs.")]
Simulator = Annotated[
    bool,
    typer.Option(
        "--simulator",
        callback=_install,
        is_eager=True,
        help="On Linux: with the simulated mps device, as MPSOPS_SIMULATOR=1.",
    ),
]
Patterns = Annotated[
    list[str] | None,
    typer.Argument(help="Names, such as mode or 'adaptive_*': without overload, all overloads of the op."),
]


def matches(name: str, patterns: list[str] | None) -> bool:
    """Whether an op, by name with overload, is meant by one of the patterns, or there is none."""
    schema = name.removeprefix("aten::")
    forms = (schema, schema.split(".")[0])
    return not patterns or any(
        fnmatchcase(form, pattern.removeprefix("aten::")) for form in forms for pattern in patterns
    )
