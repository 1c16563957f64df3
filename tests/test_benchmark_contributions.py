"""From a run to a file that can be handed in: state of the machine, name of the file, nothing personal."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from benchmark_files import everything, file_of, row
from typer.testing import CliRunner

import mpsops
from benchmarks import checking, cli, conditions, contributing, environment, files, preflight

READY = {
    "commit": "0" * 40,
    "dirty": False,
    "load": 1.0,
    "cores": 8,
    "power": "mains",
    "low_power_mode": False,
    "thermal_state": "nominal",
}
WORDS = {"the host name": "lovelace.local", "the user name": "ada", "the home folder": "/home/ada"}


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("Now drawing from 'AC Power'\n -InternalBattery-0 (id=1)\t100%; charged", "mains"),
        ("Now drawing from 'Battery Power'\n -InternalBattery-0 (id=1)\t80%; discharging", "battery"),
        ("something else", None),
        (None, None),
    ],
)
def test_power_source(text: str | None, source: str | None) -> None:
    assert conditions.power_source(text) == source


@pytest.mark.parametrize(
    ("text", "low"),
    [
        ("System-wide power settings:\nCurrently in use:\n lowpowermode         1\n sleep 1", True),
        (" standby 1\n lowpowermode         0", False),
        (" powermode            2", False),
        (" sleep                1", None),
        (None, None),
    ],
)
def test_low_power_mode(text: str | None, low: bool | None) -> None:
    assert conditions.low_power_mode(text) is low


def test_thermal_state() -> None:
    found = [conditions.thermal_state(text) for text in ("0", "2", "7", "", None)]
    assert found == ["nominal", "serious", None, None, None]


def test_a_tool_that_is_not_there_tells_nothing() -> None:
    assert conditions.output("mpsops-has-no-such-tool") is None


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"commit": None}, "commit: must be known, run in a clone of the repository"),
        ({"dirty": True}, "commit: must be what is measured, got uncommitted changes"),
        ({"load": 4.5}, "load: must be at most 4 on 8 cores, got 4.5"),
        ({"power": "battery"}, "power: must be mains, got battery"),
        ({"low_power_mode": True}, "low power mode: must be off, got on"),
        ({"thermal_state": "serious"}, "thermal state: must be nominal, got serious"),
    ],
)
def test_a_machine_that_is_not_fit(change: dict[str, Any], text: str) -> None:
    assert list(preflight.findings({**READY, **change}, False)) == [preflight.Finding(text, True)]


def test_a_machine_that_is_fit() -> None:
    assert not list(preflight.findings(READY, False))
    untold = {**READY, "power": None, "low_power_mode": None, "thermal_state": None}
    assert [finding.refused for finding in preflight.findings(untold, False)] == [False] * 3
    (simulated,) = preflight.findings(untold, True)
    assert (simulated.refused, simulated.text) == (False, "device: simulated, the times are none of a Mac")


def test_names_of_files() -> None:
    simulated = everything()  # whose first rows are of the processor
    assert files.default_path(simulated, "ops").relative_to(files.RESULTS) == Path(
        "0.1.0/ops--simulator-on-some-processor--torch2.13.0.json"
    )
    rows = [row("x", "mpsops", "tiny", 1.0, device="Apple M1 Pro")]
    mac = file_of(rows, gpu_cores=16, memory_gib=32, torch="2.13.0+cpu")
    assert files.default_path(mac, "ops").name == ("ops--apple-m1-pro-16-gpu-cores-32-gib--torch2.13.0.json")


def test_no_file_replaces_another(tmp_path: Path) -> None:
    path = tmp_path / "ops.json"
    for name in ("ops.json", "ops--2.json", "ops--3.json"):
        assert files.unused(path).name == name
        files.unused(path).touch()


@pytest.mark.parametrize(
    ("place", "text", "problem"),
    [
        ("note", "cannot open /home/ada/x", "notes/0: must not have the user name"),
        ("note", "ADA said no", "notes/0: must not have the user name"),
        ("processor", "Lovelace.local", "env/processor: must not have the host name"),
        ("note", "adaptive pooling, Canada", None),
    ],
)
def test_what_is_personal(place: str, text: str, problem: str | None) -> None:
    result = everything()
    target = result["rows"][0] if place == "note" else result["env"]
    target[place] = text
    found = list(checking.personal(result, WORDS))
    assert not found if problem is None else any(each.startswith(problem) for each in found), found


def test_files_lie_where_their_version_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "RESULTS", tmp_path)
    for folder in ("0.1.0", "0.2.0"):
        files.write(everything(), tmp_path / folder / "ops.json")
    assert not list(checking.problems(tmp_path / "0.1.0" / "ops.json"))
    assert list(checking.problems(tmp_path / "0.2.0" / "ops.json")) == [
        "must be in the folder of its mpsops, 0.1.0, got 0.2.0"
    ]


@pytest.fixture
def contribute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command on a machine in a given state, which measures what it is given."""
    monkeypatch.setattr(files, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(contributing, "DRY", tmp_path / "dry")
    monkeypatch.setattr(checking, "personal_words", lambda: WORDS)

    def run(
        state: dict[str, Any], *arguments: str, note: str = "", cases: Sequence[str] = ("--op", "frexp")
    ) -> tuple[int, str, list[Path]]:
        def measure(*_: Any, **__: Any) -> Any:
            result = copy.deepcopy(everything())
            result["rows"][0]["note"] = note
            return result

        monkeypatch.setattr(environment, "record", lambda: {**READY, **state})
        monkeypatch.setattr(cli, "measured", measure)
        command = ["contribute", *cases, *arguments]
        done = CliRunner().invoke(cli.app, command, catch_exceptions=False)
        return done.exit_code, done.output, sorted(tmp_path.rglob("*.json"))

    return run


def test_a_contribution(contribute: Any, tmp_path: Path) -> None:
    code, text, (path,) = contribute({})
    assert code == 0
    assert path == tmp_path / "results/0.1.0/ops--simulator-on-some-processor--torch2.13.0.json"
    assert f"git add {path}" in text
    notes = [finding.text for finding in preflight.findings(READY, mpsops._C.runtime == "sim")]
    assert files.load(path)["env"]["preflight"] == notes


def test_everything_is_measured_unless_something_is_named(contribute: Any) -> None:
    for cases, suite in ((), "all"), (("--model", "LeNet*"), "models-pipelines"), (("--suite", "ops"), "ops"):
        _, _, written = contribute({}, "--dry-run", cases=cases)
        assert written[-1].name.split("--")[0] == suite
        written[-1].unlink()


def test_nothing_is_measured_on_a_machine_that_is_not_fit(contribute: Any) -> None:
    code, text, written = contribute({"dirty": True})
    assert (code, written) == (1, [])
    assert "not fit: commit: must be what is measured, got uncommitted changes" in text


def test_measured_anyway(contribute: Any) -> None:
    code, _, (path,) = contribute({"dirty": True}, "--anyway")
    assert code == 0
    assert files.load(path)["env"]["preflight"][0].startswith("commit: must be")


def test_a_dry_run(contribute: Any, tmp_path: Path) -> None:
    code, text, (path,) = contribute({"load": 99.0}, "--dry-run")
    assert (code, path.parent) == (0, tmp_path / "dry")
    assert "not for handing in" in text


def test_a_personal_file_is_not_handed_in(contribute: Any) -> None:
    code, text, (_,) = contribute({}, note="no such thing: ada")
    assert code == 1
    assert "notes/0: must not have the user name" in text
    assert "git add" not in text
