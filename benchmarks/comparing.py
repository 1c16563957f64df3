"""Two runs on one machine: what became slower, beyond what the quartiles of both allow."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.pairs import Row


@dataclass(frozen=True)
class Change:
    """Attributes: factor is new time by old time; None where the new run has no time."""

    case: str
    provider: str
    factor: float | None
    certain: bool
    note: str = ""


def _times(row: Row) -> tuple[float, float, float]:
    """First quartile, median, third quartile: of the device if it has a clock, else of the latency."""
    prefix = "gpu" if row.get("gpu_ms") else "lat"
    return row[f"{prefix}_q1_ms"], row[f"{prefix}_ms"], row[f"{prefix}_q3_ms"]


def changes(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    """Of the rows that both runs have and the old one measured."""
    after = {(row["case"], row["provider"]): row for row in new["rows"]}
    for row in old["rows"]:
        other = after.get((row["case"], row["provider"]))
        if row["status"] != "ok" or other is None or other["status"] == "skipped":
            continue
        if other["status"] != "ok":
            yield Change(row["case"], row["provider"], None, True, f"{other['status']}: {other['note']}")
            continue
        (_, before, slowest), (fastest, now, _) = _times(row), _times(other)
        yield Change(row["case"], row["provider"], now / before, fastest > slowest)


def regressions(old: dict[str, Any], new: dict[str, Any], above: float) -> list[Change]:
    """Slower by more than a factor with quartiles that do not overlap, or measured no longer."""
    found = [
        each for each in changes(old, new) if each.factor is None or (each.factor > above and each.certain)
    ]
    return sorted(found, key=lambda each: -(each.factor or float("inf")))
