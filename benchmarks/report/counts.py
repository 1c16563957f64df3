"""How many cases each provider could run, and how ours compare with each of the others."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.pairs import geometric_mean, median_of
from benchmarks.report.results import NAMES, Entry, Results
from benchmarks.report.tables import ratio_text, table
from mpsops._harness.sizes import SIZES

STATUSES = ("ok", "wrong", "unsupported", "skipped")


@dataclass(frozen=True)
class Comparison:
    """Ours against one other, or the fastest of them, by the measure of the file and by throughput."""

    ratios: list[float]
    outcomes: Counter[str]
    throughput: list[float]

    @property
    def median(self) -> float | None:
        return median_of(self.ratios)

    def cells(self) -> list[str]:
        return [
            str(len(self.ratios)),
            *(str(self.outcomes[name]) for name in ("faster", "equal", "slower")),
            ratio_text(geometric_mean(self.ratios)),
            ratio_text(self.median),
            ratio_text(min(self.ratios, default=None)),
            ratio_text(max(self.ratios, default=None)),
            ratio_text(geometric_mean(self.throughput)),
        ]


def compared(entries: list[Entry], other: str | None = None) -> Comparison:
    """Without a name: with the fastest of the others, case by case."""
    ratios, throughput, outcomes = [], [], Counter[str]()
    for entry in entries:
        name = other or entry.rival
        ratio, outcome = entry.ratio_to(name), entry.outcome_to(name)
        if ratio is not None and outcome is not None and name is not None:
            ratios.append(ratio)
            outcomes[outcome] += 1
            throughput.append(entry.rows[name]["thr_ms"] / entry.rows[entry.ours]["thr_ms"])
    return Comparison(ratios, outcomes, throughput)


def by_provider(results: Results) -> Iterator[str]:
    """What each could do at all."""
    rows = []
    for name in results.providers:
        statuses = Counter(
            entry.rows[name]["status"] if name in entry.rows else "skipped" for entry in results.entries
        )
        failed = sum(count for status, count in statuses.items() if status not in STATUSES)
        cells = [str(statuses[status]) for status in STATUSES]
        rows.append([NAMES[name], *cells[:3], str(failed), cells[3]])
    header = [
        "by",
        "right",
        "wrong result",
        "unsupported",
        "error, crash, memory, time-out",
        "not reached",
    ]
    yield from table(header, rows)


HEADER = ["cases", "faster", "no difference", "slower"]
HEADER += ["ratio, geometric mean", "median", "lowest", "highest"]


def by_other(results: Results) -> Iterator[str]:
    """Ours against each of the others, and against the fastest of them in each size."""
    rows = [[NAMES[name], *compared(results.entries, name).cells()] for name in results.others]
    if len(results.others) > 1:
        rows.append(["the fastest of them", *compared(results.entries).cells()])
    for size in SIZES:
        entries = [entry for entry in results.entries if entry.case["size"] == size]
        if entries:
            rows.append([f"… in size {size}", *compared(entries).cells()])
    yield from table(["mpsops against", *HEADER, "throughput, geometric mean"], rows)
