"""A trace as a page, or as part of a notebook. Neither loads anything."""

from html import escape
from pathlib import Path

from . import text
from .recorder import Trace
from .rows import PLACE_NAMES, PLACES, Place, TraceRow, add_up, ranked
from .treemap import Box, squarify

FOLDER = Path(__file__).parent
WIDTH, HEIGHT = 1040.0, 380.0  # of the picture, for its proportions; it grows with the page
SMALLEST = 0.0015  # part of the picture that an op needs to have a box of its own


def _percent(value: float, whole: float) -> str:
    return f"{100 * value / whole:.3f}%"


def _fitting(line: str, width: float) -> str:
    letters = max(1, int((width - 12) / 6.8))
    return line if len(line) <= letters else line[: letters - 1] + "…"


def _cell(box: Box, place: Place, title: str, lines: tuple[str, ...]) -> str:
    """A nested svg clips what does not fit, and its text does not scale with the picture."""
    texts = ""
    if box.width > 46 and box.height > 22:
        texts = "".join(
            f'<text x="7" y="{17 + 15 * number}">{escape(_fitting(line, box.width))}</text>'
            for number, line in enumerate(lines)
            if box.height > 24 + 15 * number
        )
    return (
        f'<svg x="{_percent(box.x, WIDTH)}" y="{_percent(box.y, HEIGHT)}" '
        f'width="{_percent(box.width, WIDTH)}" height="{_percent(box.height, HEIGHT)}" class="{place}">'
        f'<title>{escape(title)}</title><rect width="100%" height="100%"/>{texts}</svg>'
    )


def picture(trace: Trace) -> str:
    """Area is time: first by place, then by op."""
    rows = trace.rows
    whole = sum(row.seconds for row in rows)
    places = sorted(PLACES, key=lambda place: -trace.totals.places[place].seconds)
    places = [place for place in places if trace.totals.places[place].seconds > 0]
    sums = [trace.totals.places[place].seconds for place in places]
    cells = []
    for place, outer in zip(places, squarify(sums, Box(0, 0, WIDTH, HEIGHT)), strict=True):
        mine = [row for row in rows if row.place == place]
        ops = [(op, add_up(row for row in mine if row.op == op)) for op in {row.op for row in mine}]
        ops.sort(key=lambda item: (-item[1].seconds, item[0]))
        large = [(op, one.calls, one.seconds) for op, one in ops if one.seconds >= SMALLEST * whole]
        small = [one for _, one in ops if 0 < one.seconds < SMALLEST * whole]
        if small:
            seconds = sum(one.seconds for one in small)
            large.append((f"{len(small)} more", sum(one.calls for one in small), seconds))
            large.sort(key=lambda item: -item[2])
        for (op, calls, seconds), box in zip(
            large, squarify([seconds for *_, seconds in large], outer), strict=True
        ):
            name = text.short(op)
            portion = f"{text.time(seconds)}, {text.share(seconds, whole)}"
            title = f"{name}\n{PLACE_NAMES[place]}\n{text.calls(calls)}, {portion}"
            cells.append(_cell(box, place, title, (name, portion, text.calls(calls))))
    label = f"Time by op: {text.summary(trace)}"
    return f'<svg class="map" role="img" aria-label="{escape(label)}">{"".join(cells)}</svg>'


def legend(trace: Trace) -> str:
    totals = trace.totals
    items = [
        f'<li class="{place}"><i></i>{escape(PLACE_NAMES[place])} '
        f"<b>{text.time(totals.places[place].seconds)}</b> "
        f"<small>{text.calls(totals.places[place].calls)}</small></li>"
        for place in PLACES
        if totals.places[place].calls
    ]
    return f'<ul class="legend">{"".join(items)}</ul>'


def _number(value: float, spelled: str) -> str:
    return f'<td data-value="{value:.9g}">{escape(spelled)}</td>'


def _row(row: TraceRow) -> str:
    cells = (
        f"<td><code>{escape(text.short(row.op))}</code></td>",
        f'<td class="{row.place}"><i></i>{escape(PLACE_NAMES[row.place])}</td>',
        f'<td title="{escape(row.source)}">{escape(text.source(row))}</td>',
        _number(row.calls, f"{row.calls:,}"),
        _number(row.seconds, text.time(row.seconds)),
        _number(row.seconds / row.calls, text.time(row.seconds / row.calls)),
        _number(row.bytes_copied, text.size(row.bytes_copied)),
    )
    return f"<tr>{''.join(cells)}</tr>"


def table(trace: Trace, limit: int | None) -> str:
    rows = ranked(list(trace.rows), "time")
    names = ("op", "where", "source")
    numbers = ("calls", "time", "each", "copied")
    head = "".join(f'<th scope="col"><button>{name}</button></th>' for name in names)
    head += "".join(
        f'<th scope="col" class="number"{" aria-sort=descending" * (name == "time")}>'
        f"<button>{name}</button></th>"
        for name in numbers
    )
    body = "".join(_row(row) for row in rows[:limit])
    hidden = len(rows) - len(rows[:limit])
    more = f'<p class="note">{hidden} more rows: see <code>to_html()</code></p>' if hidden else ""
    rows_html = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="wide"><table class="ops">{rows_html}</table></div>{more}'


def worth(trace: Trace) -> str:
    found = trace.candidates()
    if not found:
        return ""
    items = "".join(
        f"<li><code>{escape(text.short(one.op))}</code> "
        f"<b>{text.time(one.seconds)}</b> <small>{text.calls(one.calls)}"
        f"{', ' + text.size(one.bytes_copied) + ' copied' if one.bytes_copied else ''}, "
        f"{escape(', '.join(PLACE_NAMES[place] for place in one.places))}</small></li>"
        for one in found
    )
    return f'<h2>Worth a kernel</h2><ol class="worth">{items}</ol>'


def _body(trace: Trace, limit: int | None) -> str:
    sentences = " ".join(part for part in (text.summary(trace), text.cpu_cost(trace)) if part)
    if not trace.rows:
        return f'<p class="summary">{escape(sentences)}</p>'
    return (
        f'<p class="summary">{escape(sentences)}</p>{legend(trace)}{picture(trace)}{worth(trace)}'
        f"<h2>Ops</h2>{table(trace, limit)}"
    )


def page(trace: Trace) -> str:
    style = (FOLDER / "report.css").read_text(encoding="utf-8")
    script = (FOLDER / "report.js").read_text(encoding="utf-8")
    versions = f"torch {trace.torch}, {trace.device}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>mpsops trace</title><style>\n{style}</style></head>"
        f'<body class="mpsops-page"><main class="mpsops-trace"><header><h1>mpsops trace</h1>'
        f"<small>{escape(versions)}</small></header>"
        f"{_body(trace, None)}</main><script>\n{script}</script></body></html>\n"
    )


def fragment(trace: Trace) -> str:
    style = (FOLDER / "report.css").read_text(encoding="utf-8")
    return f'<style>\n{style}</style><div class="mpsops-trace">{_body(trace, 25)}</div>'
