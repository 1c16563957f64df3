"""Two runs on one machine: what became slower, beyond what the quartiles of both allow."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.files import device_of
from benchmarks.pairs import Row


@dataclass(frozen=True)
class Change:
    """Attributes: factor is new time by old time; None where the new run has no time.

    certain: whether the quartiles of the two do not overlap.
    """

    case: str
    provider: str
    factor: float | None
    certain: bool
    note: str = ""


@dataclass(frozen=True)
class Comparison:
    """Attributes: changes are of rows that both have; missing are those that the new run did not reach."""

    changes: list[Change] = field(default_factory=list)
    missing: list[Row] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def regressions(self, above: float) -> list[Change]:
        """Slower by more than a factor with quartiles that do not overlap, or measured no longer."""
        found = [
            each for each in self.changes if each.factor is None or (each.factor > above and each.certain)
        ]
        return sorted(found, key=lambda each: -(each.factor or float("inf")))

    def improvements(self, above: float) -> int:
        return sum(
            each.factor is not None and each.factor < 1 / above and each.certain for each in self.changes
        )


def _change(before: Row, after: Row) -> Change:
    case, provider = before["case"], before["provider"]
    if after["status"] != "ok":
        return Change(case, provider, None, True, f"{after['status']}: {after['note']}")
    if before.get("batch") != after.get("batch"):
        return Change(case, provider, None, True, f"the batch was {before['batch']}, and is {after['batch']}")
    # Of the device if both have its clock, else of the latency.
    prefix = "gpu" if before.get("gpu_ms") and after.get("gpu_ms") else "lat"
    (low, old, high), (new_low, new, new_high) = (
        tuple(row[f"{prefix}{part}_ms"] for part in ("_q1", "", "_q3")) for row in (before, after)
    )
    return Change(case, provider, new / old, new_low > high or new_high < low)


def _warnings(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for name, result in (("old", old), ("new", new)):
        if noisy := [each for each, machine in result["machine"].items() if machine["noisy"]]:
            yield f"the {name} run is noisy, by its canary: {', '.join(noisy)}"
    for key in ("torch", "macos", "power", "low_power_mode", "threads"):
        before, after = old["env"].get(key), new["env"].get(key)
        if before != after:
            yield f"{key.replace('_', ' ')} differs: {before}, {after}"


def compare(old: dict[str, Any], new: dict[str, Any]) -> Comparison:
    """Of the rows that the old run measured. Raises ValueError for runs of different devices."""
    devices = device_of(old), device_of(new)
    if devices[0] != devices[1]:
        raise ValueError(f"compare: both runs must be of one device, got {devices[0]} and {devices[1]}")
    after = {(row["case"], row["provider"]): row for row in new["rows"]}
    found = Comparison(warnings=list(_warnings(old, new)))
    for row in old["rows"]:
        other = after.get((row["case"], row["provider"]))
        if row["status"] != "ok":
            continue
        if other is None or other["status"] == "skipped":
            found.missing.append(row)
        else:
            found.changes.append(_change(row, other))
    return found
