"""A trace for an issue, a pull request or a document."""

from . import text
from .recorder import Trace
from .rows import PLACE_NAMES, PLACES, Sort, ranked


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Names to the left, numbers, which begin with the column `calls`, to the right."""
    names = columns.index("calls")
    rules = ["---"] * names + ["---:"] * (len(columns) - names)
    cells = [columns, tuple(rules), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
    return [f"| {' | '.join(row)} |" for row in cells]


def render(trace: Trace, sort: Sort, limit: int | None) -> str:
    totals = trace.totals
    lines = [text.summary(trace)]
    if cost := text.cpu_cost(trace):
        lines.append(cost)
    places = [(place, totals.places[place]) for place in PLACES if totals.places[place].calls]
    lines += ["", "### Where", ""]
    lines += _table(
        ("where", "calls", "time", "share", "copied"),
        [
            (
                PLACE_NAMES[place],
                f"{sums.calls:,}",
                text.time(sums.seconds),
                text.share(sums.seconds, totals.seconds),
                text.size(sums.bytes_copied),
            )
            for place, sums in places
        ],
    )
    if found := trace.candidates(sort):
        lines += ["", "### Worth a kernel", ""]
        lines += _table(
            ("op", "instead", "calls", "time", "copied"),
            [
                (
                    f"`{text.short(one.op)}`",
                    ", ".join(PLACE_NAMES[place] for place in one.places),
                    f"{one.calls:,}",
                    text.time(one.seconds),
                    text.size(one.bytes_copied),
                )
                for one in found
            ],
        )
    lines += ["", "### Ops", ""]
    lines += _table(
        ("op", "where", "source", "calls", "time", "each", "copied"),
        [
            (
                f"`{text.short(row.op)}`",
                PLACE_NAMES[row.place],
                text.source(row),
                f"{row.calls:,}",
                text.time(row.seconds),
                text.time(row.seconds / row.calls),
                text.size(row.bytes_copied),
            )
            for row in ranked(list(trace.rows), sort)[:limit]
        ],
    )
    return "\n".join(lines) + "\n"
