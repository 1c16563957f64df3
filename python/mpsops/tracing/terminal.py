"""A trace on a terminal."""

from io import StringIO

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from . import text
from .recorder import Trace
from .rows import PLACE_NAMES, PLACES, Place, Sort, ranked

COLOURS: dict[Place, str] = {
    "stock": "blue",
    "mpsops": "green",
    "cpu": "yellow",
    "fallback": "red",
    "missing": "magenta",
    "raised": "bright_black",
}


# One word each: next to an op and its source there is no room for more.
WORDS: dict[Place, str] = {**{place: place for place in PLACES}, "stock": "torch", "cpu": "CPU path"}


def _place(place: Place) -> Text:
    return Text(PLACE_NAMES[place], COLOURS[place])


def _word(place: Place) -> Text:
    return Text(WORDS[place], COLOURS[place])


def _places(trace: Trace) -> Table:
    totals = trace.totals
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("where")
    for name in ("calls", "time", "share", "copied"):
        table.add_column(name, justify="right")
    for place in PLACES:
        sums = totals.places[place]
        if sums.calls:
            table.add_row(
                _place(place),
                f"{sums.calls:,}",
                text.time(sums.seconds),
                text.share(sums.seconds, totals.seconds),
                text.size(sums.bytes_copied),
            )
    if totals.composed_seconds:
        composed = text.time(totals.composed_seconds), text.share(totals.composed_seconds, totals.seconds)
        table.add_row(Text("composing ops of others", "dim"), "", *composed, "")
    return table


def _rows(trace: Trace, sort: Sort, limit: int | None) -> Table:
    rows = ranked(list(trace.rows), sort)
    shown = rows if limit is None else rows[:limit]
    hidden = len(rows) - len(shown)
    table = Table(
        box=SIMPLE_HEAD,
        header_style="bold",
        border_style="dim",
        padding=(0, 1, 0, 0),
        pad_edge=False,
        caption=f"{hidden} more rows" if hidden else None,
        caption_justify="left",
    )
    table.add_column("op", style="cyan", overflow="fold")
    table.add_column("where", no_wrap=True)
    table.add_column("source", overflow="fold")
    for name in ("calls", "time", "each", "copied"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in shown:
        table.add_row(
            text.short(row.op),
            _word(row.place),
            text.source(row),
            f"{row.calls:,}",
            text.time(row.seconds),
            text.time(row.seconds / row.calls),
            text.size(row.bytes_copied),
        )
    return table


def _candidates(trace: Trace, sort: Sort) -> Table:
    table = Table(title="Worth a kernel", title_justify="left", box=None, header_style="dim", pad_edge=False)
    table.add_column("op", style="cyan")
    table.add_column("instead")
    for name in ("calls", "time", "copied"):
        table.add_column(name, justify="right")
    for one in trace.candidates(sort):
        table.add_row(
            text.short(one.op),
            Text(", ").join(_place(place) for place in one.places),
            f"{one.calls:,}",
            text.time(one.seconds),
            text.size(one.bytes_copied),
        )
    return table


def render(trace: Trace, sort: Sort, limit: int | None) -> Group:
    parts: list[RenderableType] = [Text(text.summary(trace))]
    if cost := text.cpu_cost(trace):
        parts.append(Text(cost))
    if trace.rows:
        parts += ["", _places(trace), "", _rows(trace, sort, limit)]
    if trace.candidates():
        parts += ["", _candidates(trace, sort)]
    return Group(*parts)


def plain(trace: Trace, width: int = 110) -> str:
    console = Console(file=StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        console.print(trace.table())
    return "\n".join(line.rstrip() for line in captured.get().splitlines())
