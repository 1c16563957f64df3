"""compare_ops.py BEFORE AFTER: what torch came to have, from two `mpsops ops --json`, as Markdown."""

import json
import sys
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def in_state(rows: list[Row], state: str) -> dict[str, str]:
    """Family by name of the overloads in ``state``."""
    return {row["name"]: row["family"] for row in rows if row["state"] == state}


def listing(title: str, families: dict[str, str]) -> list[str]:
    if not families:
        return []
    return ["", f"### {title}", "", *(f"* `{name}` ({families[name]})" for name in sorted(families))]


def compare(before: list[Row], after: list[Row]) -> str:
    """A name that only one side knows counts as well: it was not native, or not gone, on the other."""
    changes = []
    for title, state, old, new in (
        ("Native in torch now: mpsops' kernel steps aside", "native", before, after),
        ("No longer native: mpsops' kernel comes back", "native", after, before),
        ("Gone from torch", "absent", before, after),
    ):
        known = in_state(old, state)
        found = {name: family for name, family in in_state(new, state).items() if name not in known}
        changes += listing(title, found)
    native = len(in_state(after, "native"))
    summary = f"{len(after)} overloads in mpsops, {native} of them native in torch."
    return "\n".join(["## Ops with the nightly torch", "", summary, *(changes or ["", "Nothing changed."])])


def main(before: str, after: str) -> None:
    rows = [json.loads(Path(path).read_text()) for path in (before, after)]
    print(compare(*rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
