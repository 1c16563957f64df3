"""Results files: where they are, what they are called, how they are written."""

import json
import math
import re
from pathlib import Path
from typing import Any

from benchmarks.environment import ROOT

RESULTS = ROOT / "benchmarks" / "results"
DOCUMENTS = ROOT / "docs" / "benchmark-results"


def committed() -> list[Path]:
    """All results files, by version of mpsops, then by name."""
    return sorted(RESULTS.rglob("*.json"))


def slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def device_of(result: dict[str, Any]) -> str:
    """The accelerator, or its simulator; the processor for a file of the CPU alone.

    Raises ValueError for several: a file is of one machine.
    """
    found = {row["device"] for row in result["rows"] if row["device"] and row["provider"] != "cpu"}
    if len(found) > 1:
        raise ValueError(f"results: a file must be of one device, got {', '.join(sorted(found))}")
    processor = next((row["device"] for row in result["rows"] if row["device"]), "no device")
    return str(next(iter(found), processor))


def default_path(result: dict[str, Any], suite: str) -> Path:
    """``results/<mpsops>/<suite>--<device>--torch<version>.json``: one machine and one run in a file.

    Chips of one name come with different GPUs and memories: a Mac's are part of the name.
    """
    environment = result["env"]
    device = device_of(result)
    if "gpu_cores" in environment:
        device += f" {environment['gpu_cores']} GPU cores {environment['memory_gib']} GiB"
    torch_version = environment.get("torch", "unknown").split("+")[0]
    name = f"{suite}--{slug(device)}--torch{torch_version}"
    return RESULTS / environment.get("mpsops", "unknown") / f"{name}.json"


def unused(path: Path) -> Path:
    """The path, or with a number at its end where there is such a file already."""
    candidate, number = path, 2
    while candidate.exists():
        candidate, number = path.with_name(f"{path.stem}--{number}{path.suffix}"), number + 1
    return candidate


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
