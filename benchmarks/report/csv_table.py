"""All rows, a column for each key of the schema."""

import csv
from pathlib import Path

from benchmarks.checking import schema
from benchmarks.pairs import Row


def write(rows: list[Row], path: Path) -> Path:
    columns = list(schema()["$defs"]["row"]["properties"])
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            cells = {**row, "shape": " ".join("x".join(map(str, shape)) for shape in row.get("shape", []))}
            writer.writerow(["" if cells.get(name) is None else cells[name] for name in columns])
    return path
