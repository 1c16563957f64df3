"""A model's coverage as a table for terminals and for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from mpsops._model_coverage import Coverage

STYLES = {
    "native": "green",
    "mpsops": "bold green",
    "composite": "none",
    "cpu": "yellow",
    "missing": "bold red",
    "other": "dim",
}
_COLUMNS = ("op", "calls", "state", "reason")


def rich_table(coverage: Coverage) -> Table:
    table = Table(caption=coverage.summary(), caption_justify="left", border_style="dim")
    table.add_column("op", no_wrap=True, overflow="fold")
    table.add_column("calls", justify="right")
    table.add_column("state", no_wrap=True)
    table.add_column("reason", min_width=12)
    for row in coverage.rows:
        table.add_row(row.name, str(row.calls), f"[{STYLES[row.state]}]{row.state}[/]", row.reason)
    return table


def html(coverage: Coverage) -> str:
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    lines = []
    for row in coverage.rows:
        weight = "bold" if row.state == "missing" else "normal"
        cells = (f"<code>{escape(row.name)}</code>", row.calls, row.state, escape(row.reason))
        columns = "".join(f"<td>{cell}</td>" for cell in cells)
        lines.append(f'<tr style="font-weight: {weight}">{columns}</tr>')
    body = "\n".join(lines)
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>\n"
        f"<p>{escape(coverage.summary())}</p>"
    )
