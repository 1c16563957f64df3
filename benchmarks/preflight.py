"""Whether a machine is fit to be measured for others: what is known before the first call."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

BUSY = 0.5  # load for each core, above which others take the time


@dataclass(frozen=True)
class Finding:
    """Attributes: refused says that the run should not start, rather than that a reader should know."""

    text: str
    refused: bool


def findings(record: dict[str, Any], simulated: bool) -> Iterator[Finding]:
    """Of a record of the environment (benchmarks.environment.record), before a run."""
    if record["commit"] is None:
        yield Finding("commit: must be known, run in a clone of the repository", True)
    elif record["dirty"]:
        yield Finding("commit: must be what is measured, got uncommitted changes", True)
    limit = BUSY * record["cores"]
    if record["load"] > limit:
        load = f"at most {limit:g} on {record['cores']} cores, got {record['load']}"
        yield Finding(f"load: must be {load}", True)
    if simulated:
        yield Finding("device: simulated, the times are none of a Mac", False)
        return
    for name, right in (("power", "mains"), ("low_power_mode", False), ("thermal_state", "nominal")):
        words = name.replace("_", " ")
        if record[name] is None:
            yield Finding(f"{words}: the system does not tell; it should be {_text(right)}", False)
        elif record[name] != right:
            yield Finding(f"{words}: must be {_text(right)}, got {_text(record[name])}", True)


def _text(value: Any) -> str:
    return {True: "on", False: "off"}.get(value, str(value))
