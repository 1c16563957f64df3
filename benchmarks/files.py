"""Results files: where they are, what they are called, how they are written."""

import json
import math
import re
from pathlib import Path
from typing import Any

from benchmarks.environment import ROOT

RESULTS = ROOT / "benchmarks" / "results"


def slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def default_path(result: dict[str, Any], suite: str) -> Path:
    """``results/<mpsops>/<suite>--<device>--torch<version>.json``: one machine and one run in a file."""
    environment = result["env"]
    devices = [row["device"] for row in result["rows"] if row["device"]]
    device = slug(devices[0]) if devices else "no-device"
    torch_version = environment.get("torch", "unknown").split("+")[0]
    return RESULTS / environment.get("mpsops", "unknown") / f"{suite}--{device}--torch{torch_version}.json"


def write(result: dict[str, Any], path: Path) -> None:
    """With sorted keys, a row on a line, so that changes of files can be read."""
    rows = ",\n".join("  " + json.dumps(row, sort_keys=True, allow_nan=False) for row in result["rows"])
    head = {key: value for key, value in result.items() if key != "rows"}
    text = json.dumps(head, sort_keys=True, indent=1, allow_nan=False).rstrip("}\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{text},\n "rows": [\n{rows}\n ]\n}}\n')


def load(path: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(path.read_text())
    return result


def rounded(value: Any) -> Any:
    """Five digits, which is more than a measurement has; what is not a number becomes null."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value
