"""Models and pipelines: each in every mode and batch, by every provider, against the CPU."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pairs import Row
from benchmarks.report.results import NAMES
from benchmarks.report.tables import UNTIMED, table
from benchmarks.terminal import number, time_text

SUITES = {"models": "Models", "pipelines": "Pipelines"}
PASSES = {"infer": "inference", "train": "training"}


@dataclass(frozen=True)
class Program:
    """One case. Attributes: rows by provider, as they are in the file."""

    rows: dict[str, Row]

    @property
    def case(self) -> Row:
        """A row that says what was measured: of those, one that ran."""
        return max(self.rows.values(), key=lambda row: row["status"] == "ok")

    def row(self, provider: str) -> Row | None:
        """With a time; None without."""
        row = self.rows.get(provider)
        return row if row is not None and row["status"] == "ok" else None

    def items_per_second(self, provider: str) -> float | None:
        """Images, sequences, sounds: of what a batch has; batches follow each other without a wait."""
        row = self.row(provider)
        return 1e3 * float(row["batch"]) / float(row["thr_ms"]) if row else None

    def speed(self, provider: str) -> float | None:
        """Of the CPU's: above 1, faster."""
        ours, cpu = self.items_per_second(provider), self.items_per_second("cpu")
        return ours / cpu if ours and cpu else None


def programs(rows: Iterable[Row], suite: str) -> list[Program]:
    """By name, mode and batch."""
    grouped: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in rows:
        if row["suite"] == suite:
            grouped[row["case"]][row["provider"]] = row

    def order(program: Program) -> tuple[object, ...]:
        case = program.case
        return case["name"].casefold(), case["pass"], case["scale"], case["batch_wanted"]

    return sorted((Program(found) for found in grouped.values()), key=order)


def is_picture(path: Path, suite: str | None = None) -> bool:
    """Of a suite of programs; of any without a name."""
    return any(path.stem.endswith(f"--{each}") for each in ([suite] if suite else SUITES))


def _batch(row: Row) -> str:
    if row["batch"] in {None, row["batch_wanted"]}:
        return str(row["batch_wanted"])
    return f"{row['batch']}, for want of memory not {row['batch_wanted']}"


def _verdict(row: Row) -> str:
    if row["status"] != "ok":
        words = UNTIMED.get(row["status"], row["status"])
        return f"{words}: {row['note']}".removesuffix(": ").replace("|", "\\|")
    judged = "" if row["judged_batch"] == row["batch"] else f"in {row['judged_batch']} of {row['batch']}, "
    error = f"{row['max_rel_err']:.0e}" if row["max_rel_err"] else "0"
    reference = "" if row["reference"] == "float64" else f" in {row['reference']}"
    return f"right, {judged}{error} off{reference}"


def _cells(program: Program, provider: str) -> list[str]:
    row, timed = program.rows[provider], program.row(provider)
    return [
        row["name"],
        PASSES[row["pass"]],
        _batch(row),
        NAMES[provider],
        _verdict(row),
        time_text(timed["thr_ms"] if timed else None),
        number(program.items_per_second(provider), 1),
        number(program.speed(provider)),
    ]


def _scaled(found: list[Program]) -> Iterator[str]:
    """What a small program is smaller in."""
    words = {
        program.case["name"]: program.case["scaled"] for program in found if program.case["scale"] == "small"
    }
    if not words:
        return
    yield "\nThese programs are small: the layers of the published ones, in small batches.\n"
    cells = [[name, text or "the same"] for name, text in words.items()]
    yield from table(["program", "scaled to"], cells, left=2)


LEGEND = (
    "A batch: the time of one, where batches follow each other and the wait is at the end. Training is "
    "forward, backward and a step of Adam. Speed: items in a second by the CPU's; above 1 is faster. Off: "
    "the distance of the result from the CPU's in float64, as a part of its length; in training, of loss, "
    "gradients and weights after a step.\n"
)


def lines(rows: Iterable[Row], pictures: list[Path]) -> Iterator[str]:
    """A section for each suite that the file has."""
    rows = list(rows)
    for suite, title in SUITES.items():
        found = programs(rows, suite)
        if not found:
            continue
        yield f"\n## {title}\n"
        yield LEGEND
        for picture in pictures:
            if picture.suffix == ".svg" and is_picture(picture, suite):
                yield f"![{title} against the CPU]({picture.name})\n"
        header = ["program", "", "batch", "by", "result", "a batch", "items/s", "speed"]
        cells = [_cells(program, name) for program in found for name in NAMES if name in program.rows]
        yield from table(header, cells, left=5)
        yield from _scaled(found)
