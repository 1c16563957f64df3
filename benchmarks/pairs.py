"""Two providers' rows of the same case, as a ratio: above 1, the first is faster."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import median
from typing import Any

Row = dict[str, Any]

OURS = ("mpsops_cuda", "mpsops")


@dataclass(frozen=True)
class Pair:
    """Attributes: theirs is None where they have no result for the case."""

    ours: Row
    theirs: Row | None

    @property
    def ratio(self) -> float | None:
        """Of the device's own time where both have that clock, else of throughput."""
        if self.theirs is None:
            return None
        clock = "gpu_ms" if self.ours.get("gpu_ms") and self.theirs.get("gpu_ms") else "thr_ms"
        ours, theirs = self.ours.get(clock), self.theirs.get(clock)
        return theirs / ours if ours and theirs else None

    @property
    def host_ratio(self) -> float | None:
        if self.theirs is None or not self.ours.get("host_us") or not self.theirs.get("host_us"):
            return None
        return float(self.theirs["host_us"]) / float(self.ours["host_us"])


def time_ms(row: Row) -> float | None:
    return row.get("gpu_ms") or row.get("thr_ms")


def pairs(rows: Iterable[Row], ours: str, theirs: str) -> list[Pair]:
    """Of each case that ours measured, in the order of the rows."""
    rows = list(rows)
    others = {row["case"]: row for row in rows if row["provider"] == theirs}
    return [
        Pair(row, other if other is not None and other["status"] == "ok" else None)
        for row in rows
        if row["provider"] == ours and row["status"] == "ok"
        for other in [others.get(row["case"])]
    ]


def geometric_mean(values: Sequence[float]) -> float | None:
    return exp(sum(map(log, values)) / len(values)) if values else None


def median_of(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def ratios(found: Iterable[Pair]) -> list[float]:
    return [pair.ratio for pair in found if pair.ratio is not None]


def share(row: Row, copy_gbps: float | None) -> float | None:
    """Of the copy bandwidth of the same run."""
    return row["gbps"] / copy_gbps if row.get("gbps") and copy_gbps else None
