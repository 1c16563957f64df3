"""Measurements on disk: one small JSON file for each setup, in the user's cache folder."""

import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mpsops import _user_cache

from .measurement import VERDICTS, Measurement, Quartiles
from .setup import Setup

SCHEMA = 1
AGAIN = "run `mpsops tune` again"


class UnusableError(Exception):
    """There are no measurements for a setup; the text says why, and what to do."""


@dataclass(frozen=True)
class Tuning:
    """Attributes: measured is the time of the last measurement, UTC."""

    setup: Setup
    measurements: tuple[Measurement, ...] = ()
    measured: str = ""

    def of(self, op: str) -> list[Measurement]:
        return [each for each in self.measurements if each.op == op]

    def with_(self, new: Iterable[Measurement]) -> "Tuning":
        """With what was measured now, instead of what was measured of the same cases before."""
        by_case = {each.case: each for each in (*self.measurements, *new)}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return replace(self, measurements=tuple(by_case.values()), measured=now)

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "setup": asdict(self.setup),
            "measured": self.measured,
            "measurements": [asdict(each) for each in self.measurements],
        }


def path_of(setup: Setup) -> Path:
    return _user_cache.folder("tuning") / setup.file_name


def save(tuning: Tuning) -> Path:
    """Whole or not at all: under another name first. Raises OSError."""
    path = path_of(tuning.setup)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".unfinished-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(tuning.as_json(), file, indent=1)
            file.write("\n")
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def load(setup: Setup) -> Tuning:
    """The measurements of a setup. Raises UnusableError."""
    path = path_of(setup)
    try:
        tuning = parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UnusableError(_nothing(path, setup)) from None
    except (OSError, ValueError) as error:
        raise UnusableError(f"{path} cannot be used ({error}): {AGAIN}") from error
    if tuning.setup != setup:
        raise UnusableError(f"{path} was measured with {setup.differences(tuning.setup)}: {AGAIN}")
    return tuning


def _nothing(path: Path, setup: Setup) -> str:
    """Nothing was measured with this setup; perhaps with another, before an update."""
    others = sorted(path.parent.glob("*.json"), key=lambda each: each.stat().st_mtime)
    for other in reversed(others):
        try:
            found = parse(other.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        return f"the last tuning was measured with {setup.differences(found.setup)}: {AGAIN}"
    return "nothing was measured on this machine yet: run `mpsops tune`"


def summary(setup: Setup) -> str:
    """In a few words, without a path."""
    try:
        tuning = load(setup)
    except UnusableError:
        return "none for this machine and these versions"
    won = sum(each.won for each in tuning.measurements)
    return f"{won} of {len(tuning.measurements)} cases faster, measured until {tuning.measured}"


def parse(text: str) -> Tuning:
    """Raises ValueError, with the place of what is not as it should be."""
    content = _object(json.loads(text), "the file", {"schema", "setup", "measured", "measurements"})
    if content["schema"] != SCHEMA:
        raise ValueError(f"schema: must be {SCHEMA}, got {content['schema']!r}")
    names = {"chip", "system", "torch", "mpsops", "build"}
    setup = _object(content["setup"], "setup", names)
    fields = {name: _text(setup[name], f"setup/{name}") for name in names}
    rows = content["measurements"]
    if not isinstance(rows, list):
        raise ValueError(f"measurements: must be a list, got {rows!r}")
    measurements = tuple(_measurement(row, f"measurements/{index}") for index, row in enumerate(rows))
    return Tuning(Setup(**fields), measurements, _text(content["measured"], "measured"))


def _object(value: Any, place: str, names: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != names:
        found = ", ".join(sorted(value)) if isinstance(value, dict) else repr(value)[:80]
        raise ValueError(f"{place}: must be an object of {', '.join(sorted(names))}, got {found}")
    return value


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{place}: must be a text, got {value!r}")
    return value


def _measurement(row: Any, place: str) -> Measurement:
    names = {"op", "dtype", "size", "elements", "verdict", "note", "ours", "torchs"}
    row = _object(row, place, names)
    for name in ("op", "dtype", "size", "note"):
        _text(row[name], f"{place}/{name}")
    elements = row["elements"]
    if not isinstance(elements, int) or isinstance(elements, bool) or not 0 <= elements < 1 << 63:
        raise ValueError(f"{place}/elements: must be a count, got {elements!r}")
    if row["verdict"] not in VERDICTS:
        raise ValueError(f"{place}/verdict: must be one of {', '.join(VERDICTS)}, got {row['verdict']!r}")
    times = {name: _quartiles(row[name], f"{place}/{name}") for name in ("ours", "torchs")}
    return Measurement(**{**row, **times})


def _quartiles(value: Any, place: str) -> Quartiles | None:
    if value is None:
        return None
    numbers = value if isinstance(value, list) else []
    if len(numbers) != 3 or not all(isinstance(each, int | float) and each >= 0 for each in numbers):
        raise ValueError(f"{place}: must be three times in microseconds, got {value!r}")
    first, middle, third = map(float, numbers)
    return first, middle, third
