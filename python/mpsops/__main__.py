"""``python -m mpsops``: the ops that mpsops implements, and where each stands in the installed torch."""

import argparse

from mpsops import OpRow, ops


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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m mpsops", description=__doc__)
    parser.add_argument("--markdown", action="store_true", help="by family, as a table for a document")
    options = parser.parse_args()
    print(markdown(ops()) if options.markdown else plain(ops()))


if __name__ == "__main__":
    main()
