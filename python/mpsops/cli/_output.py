"""What commands print: tables for people in terminals, aligned columns for pipes, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

# By state, and by status of a check.
STYLES = (
    {"enabled": "green", "disabled": "yellow", "absent": "dim"}
    | {"native": "cyan", "mpsops": "green", "composite": "none", "cpu": "yellow", "missing": "red"}
    | {"ok": "green", "warn": "yellow", "fail": "bold red"}
    | {"faster": "green", "slower": "yellow", "undecided": "dim", "wrong": "bold red", "failed": "bold red"}
    | {"torch wrong": "green", "torch refuses": "cyan"}
)


_ROOM = 12  # for a column that wraps


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def print_json(value: Any) -> None:
    """A dataclass, a list of them, or what JSON has itself."""
    plain = [_plain(item) for item in value] if isinstance(value, list) else _plain(value)
    print(json.dumps(plain, indent=1))


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[object]], header: bool = False) -> None:
    """Nothing is cut: in a terminal columns of text wrap, in a pipe lines are as long as they are.

    Args:
        columns: their titles; one that ends in ``>`` is aligned to the right.
        rows: a cell for each.
        header: titles in a pipe too, where names alone are easier to work with.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_table(columns, cells)
        return
    titles = [column.rstrip(">") for column in columns]
    lines = [titles, *cells] if header else cells
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)] if lines else []
    for line in lines:
        padded = [
            cell.rjust(width) if column.endswith(">") else cell.ljust(width)
            for column, cell, width in zip(columns, line, widths, strict=True)
        ]
        print("  ".join(padded).rstrip())


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The first two columns, and numbers, wrap only if there is no room for the others otherwise."""
    console = Console(highlight=False)
    wraps = [number > 1 and not column.endswith(">") for number, column in enumerate(columns)]
    lines = [columns, *rows]
    widths = [
        _ROOM if wrap else max(map(len, cells))
        for wrap, cells in zip(wraps, zip(*lines, strict=True), strict=True)
    ]
    fits = sum(widths) + 2 * len(columns) <= console.width
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, wrap in zip(columns, wraps, strict=True):
        table.add_column(
            column.rstrip(">"),
            justify="right" if column.endswith(">") else "left",
            no_wrap=fits and not wrap,
            overflow="fold",
            min_width=_ROOM if wrap else None,
        )
    for row in rows:
        table.add_row(*(Text(cell, STYLES.get(cell, "")) for cell in row))
    console.print(table)


def note(text: str) -> None:
    """Beside the result, and so not in a pipe: hints, totals, what to do next."""
    Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty()).print(Text(text, "dim"))


def error(text: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty()).print(
        Text.assemble(("mpsops: ", "bold red"), text)
    )
