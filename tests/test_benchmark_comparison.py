"""Comparing two runs of one machine: what counts as slower, and what is only noise."""

import copy
from pathlib import Path
from typing import Any

import pytest
from benchmark_files import everything, file_of, row
from typer.testing import CliRunner

from benchmarks import comparing, files
from benchmarks.cli import app
from benchmarks.pairs import Pair


def changed(**times: float) -> dict[str, Any]:
    """The file of the tests, with other times of `loses`, medium, by mpsops."""
    result = copy.deepcopy(everything())
    for each in result["rows"]:
        if (each["name"], each["size"], each["provider"]) == ("aten::loses", "medium", "mpsops"):
            each.update(times)
    return result


def regressions(new: dict[str, Any], above: float = 1.15) -> list[tuple[str, float | None]]:
    found = comparing.compare(everything(), new).regressions(above)
    return [(each.provider, each.factor) for each in found]


# Before: quartiles 36 and 48, median 40.
def test_slower_beyond_both_quartiles() -> None:
    assert regressions(changed(lat_q1_ms=50, lat_ms=60, lat_q3_ms=70)) == [("mpsops", pytest.approx(1.5))]
    assert not regressions(changed(lat_q1_ms=50, lat_ms=60, lat_q3_ms=70), above=1.6)


def test_noise_is_no_regression() -> None:
    assert not regressions(changed(lat_q1_ms=47, lat_ms=4000, lat_q3_ms=5000))
    assert not regressions(everything())


def test_faster_is_no_regression() -> None:
    new = changed(lat_q1_ms=10, lat_ms=11, lat_q3_ms=12)
    assert not regressions(new)
    assert comparing.compare(everything(), new).improvements(1.15) == 1
    overlapping = changed(lat_q1_ms=10, lat_ms=11, lat_q3_ms=37)
    assert comparing.compare(everything(), overlapping).improvements(1.15) == 0


def test_what_has_no_time_any_more_is_a_regression() -> None:
    assert regressions(changed(status="wrong", note="off")) == [("mpsops", None)]


def test_what_was_not_reached_is_missing() -> None:
    found = comparing.compare(everything(), changed(status="skipped"))
    assert not found.regressions(1.0)
    assert [each["case"] for each in found.missing] == ["aten::loses-medium-float32-contiguous"]


def test_a_clock_that_only_one_run_has_is_not_used() -> None:
    gpu = {"gpu_ms": 1.0, "gpu_q1_ms": 1.0, "gpu_q3_ms": 1.0}
    assert not regressions(changed(**gpu))
    ours, theirs = row("x", "mpsops", "tiny", 1.0) | gpu, row("x", "cpu", "tiny", 8.0)
    assert Pair(ours, theirs).ratio == pytest.approx(8.0)
    assert Pair(ours, theirs | {"gpu_ms": 3.0}).ratio == pytest.approx(3.0)


def test_other_circumstances_are_noted() -> None:
    new = file_of(everything()["rows"], torch="2.14.0")
    new["machine"]["mpsops"]["noisy"] = True
    assert comparing.compare(everything(), new).warnings == [
        "the new run is noisy, by its canary: mpsops",
        "torch differs: 2.13.0, 2.14.0",
    ]


def compared(folder: Path, new: dict[str, Any]) -> tuple[int, str]:
    for name, result in (("old", everything()), ("new", new)):
        files.write(result, folder / f"{name}.json")
    done = CliRunner().invoke(app, ["compare", str(folder / "old.json"), str(folder / "new.json")])
    return done.exit_code, done.output


def test_the_command(tmp_path: Path) -> None:
    code, text = compared(tmp_path, everything())
    assert code == 0
    assert "0 of 29 cases are slower by more than 1.15, 0 faster; 0 are not in the new run" in text
    code, text = compared(tmp_path, changed(lat_q1_ms=50, lat_ms=60, lat_q3_ms=70))
    assert code == 1
    assert "aten::loses-medium-float32-contiguous by mpsops: 1.50 times as long" in text


def test_two_machines_are_not_compared(tmp_path: Path) -> None:
    other = file_of([row("x", "mpsops", "tiny", 1.0, device="Apple M1")])
    code, text = compared(tmp_path, other)
    assert code == 2
    assert "both runs must be of one device" in " ".join(text.replace("│", " ").split())
