"""``python -m mpsops``: the ops that mpsops implements, and where each stands in the installed torch."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from mpsops import _C, OpRow, ops


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


def plain(rows: list[OpRow]) -> str:
    width = max(len(row.name) for row in rows)
    return "\n".join(f"{row.name:{width}}  {row.state:8}  {row.reason}" for row in rows)


def write_sources(folder: Path) -> str:
    """Writes ``<family>.metal`` for each family; returns the line that compiles them all on a Mac."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = _C.sources()
    for family, text in texts.items():
        (folder / f"{family}.metal").write_text(text, encoding="utf-8")
    compiler = "xcrun -sdk macosx metal -std=metal3.1 -fno-fast-math -c -o /dev/null"
    return (
        f"{len(texts)} families in {folder}. With Xcode, this compiles them:\n"
        f'for f in {folder}/*.metal; do {compiler} "$f" || echo "FAILED: $f"; done'
    )


def main() -> None:
    if sys.argv[1:2] == ["run"]:
        from mpsops.cli.run import main as run

        run(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(prog="python -m mpsops", description=__doc__)
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--markdown", action="store_true", help="by family, as a table for a document")
    shape.add_argument("--json", action="store_true", help="for other programs")
    shape.add_argument(
        "--sources",
        type=Path,
        metavar="FOLDER",
        help="instead, write the Metal source of every kernel family, as Apple's compiler gets it",
    )
    options = parser.parse_args()
    if options.sources is not None:
        print(write_sources(options.sources))
    elif options.json:
        print(json.dumps([asdict(row) for row in ops()], indent=1))
    else:
        print(markdown(ops()) if options.markdown else plain(ops()))


if __name__ == "__main__":
    main()
