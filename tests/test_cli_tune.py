"""``mpsops tune``, on a machine whose times a test makes up."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tuning_support import FakeMachine, always
from typer.testing import CliRunner

import mpsops
from mpsops._tuning import contest, setup, store
from mpsops.cli import app

POOL = "_adaptive_avg_pool2d"
ONE = ("--op", POOL, "--size", "tiny", "--dtype", "float32")


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MPSOPS_CACHE_DIR", str(tmp_path))
    yield
    mpsops.enable()


def run(*arguments: str, machine: FakeMachine | None = None) -> Any:
    machine = machine or FakeMachine()
    with machine:
        return CliRunner().invoke(app, ["tune", *arguments], obj=machine)


def one_line(text: str) -> str:
    """Without the frame that typer draws around an error."""
    return " ".join(text.translate(str.maketrans("│╭╮╰╯─", "      ")).split())


def test_what_is_measured_is_shown_and_kept() -> None:
    result = run(*ONE)
    assert result.exit_code == 0, result.output
    header, line, empty, second, *decisions = result.stdout.splitlines()
    assert header.split()[:5] == ["op", "verdict", "dtype", "size", "elements"]
    assert line.split() == [POOL, "faster", "float32", "tiny", "256", "10000.0", "20000.0", "2.00"]
    assert (empty, second.split()) == ("", ["op", "kernel", "why"])
    assert len(decisions) == len(contest.candidates())
    (line,) = (each for each in decisions if each.startswith(f"{POOL} "))
    assert line.split(maxsplit=2)[1:] == [
        "both",
        "mpsops' kernel for float32 of 256 elements, torch's for the rest; what that refuses is mpsops'",
    ]
    assert "1 cases: 1 faster. Written: " in result.stderr
    assert 'mpsops.enable("tuned")' in result.stderr
    (kept,) = store.load(setup.this_setup()).measurements
    assert (kept.op, kept.verdict) == (f"aten::{POOL}", "faster")
    mpsops.enable("tuned")
    mpsops.reset_counts()
    torch.nn.functional.adaptive_avg_pool2d(torch.ones(1, 16, 4, 4, device="mps"), 2)
    assert {row.name: row.calls for row in mpsops.ops()}[f"aten::{POOL}"] == 1


@pytest.mark.skipif(mpsops._C.runtime != "sim", reason="a Mac's times are a Mac's")
def test_the_simulator_says_that_it_is_no_mac() -> None:
    text = "The device is simulated: these are times of the simulator, not of a Mac."
    assert text in run(*ONE).stderr
    assert text in run("--show").stderr


def test_json_is_the_file() -> None:
    result = run(*ONE, "--json")
    here = setup.this_setup()
    assert json.loads(result.stdout) == json.loads(store.path_of(here).read_text())
    assert run("--show", "--json").stdout == result.stdout


def test_a_second_run_adds() -> None:
    run(*ONE)
    run("--op", POOL, "--size", "tiny", "--dtype", "float16", machine=FakeMachine(always(2e-2, 1e-2)))
    shown = run("--show")
    assert [line.split()[1:3] for line in shown.stdout.splitlines()[1:3]] == [
        ["faster", "float32"],
        ["slower", "float16"],
    ]
    assert "Measured until 20" in shown.stderr


def test_wrong_kernels_are_loud() -> None:
    machine = FakeMachine(spoil=lambda is_ours, out: out.add_(1) if is_ours else None)
    result = run(*ONE, machine=machine)
    assert result.exit_code == 1
    assert (
        f"mpsops: aten::{POOL}, float32, tiny: mpsops' kernel is wrong: output 0 is off by 1" in result.stderr
    )
    assert "please report it" in result.stderr
    assert "torch   mpsops' kernel is wrong here" in result.stdout
    mpsops.enable("tuned")
    assert {row.name: row.state for row in mpsops.ops()}[f"aten::{POOL}"] == "disabled"


def test_ctrl_c() -> None:
    def stop(is_ours: bool, out: torch.Tensor) -> None:
        if out.dtype == torch.float16:
            raise KeyboardInterrupt

    result = run("--op", POOL, "--size", "tiny", machine=FakeMachine(spoil=stop))
    assert result.exit_code == 130
    assert "Interrupted: what was measured until then is kept." in result.stderr
    assert [each.dtype for each in store.load(setup.this_setup()).measurements] == ["float32"]


def test_the_budget() -> None:
    result = run("--op", POOL, "--size", "tiny", "--budget", "1", machine=FakeMachine(always(1.0, 1.0)))
    assert "1 seconds were not enough for 2 more cases: see --budget." in result.stderr


def test_dry_run_measures_nothing() -> None:
    machine = FakeMachine()
    lines = run("--dry-run", "--op", "adaptive_avg_pool", "--dtype", "bfloat16", machine=machine).stdout
    names = [op.name for op in contest.candidates() if op.family == "adaptive_avg_pool"]
    expected = [[name, "bfloat16", size] for name in names for size in contest.SIZES]
    assert [line.split() for line in lines.splitlines()] == expected
    assert json.loads(run("--dry-run", "--json", *ONE).stdout)[0]["name"] == f"aten::{POOL}"
    assert machine.counts == {True: 0, False: 0}
    assert not store.path_of(setup.this_setup()).exists()


def test_clear() -> None:
    run(*ONE)
    here = setup.this_setup()
    result = run("--clear")
    assert (result.exit_code, result.stderr) == (0, f"Removed {store.path_of(here)}.\n")
    assert not store.path_of(here).exists()
    for option in ("--clear", "--show"):
        result = run(option)
        assert result.exit_code == 1
        assert result.stderr.startswith("mpsops: ")


def test_a_damaged_file_is_shown_as_such_and_replaced() -> None:
    run(*ONE)
    path = store.path_of(setup.this_setup())
    path.write_text("{}")
    result = run("--show")
    assert result.exit_code == 1
    assert "cannot be used (the file: must be an object" in result.stderr
    result = run(*ONE)
    assert result.exit_code == 0
    assert "is replaced" in result.stderr
    assert run("--show").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--op", "mode"], "must name an op that torch and mpsops both have (families: adaptive_avg_pool,"),
        (["--op", POOL, "--dtype", "int64"], "must be one of float32, float16, bfloat16, got int64"),
        (["--size", "huge"], "must be one of tiny, medium, large, got huge"),
        (["--show", "--clear"], "only one of them: --show, --clear"),
        (["--budget", "0"], "'--budget': Input should be greater than or equal to 1"),
    ],
)
def test_bad_options(arguments: list[str], problem: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert problem in one_line(result.stderr)


def test_a_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MPSOPS_CACHE_DIR", str(tmp_path / "file"))
    result = run(*ONE)
    assert result.exit_code == 2
    assert "mpsops: cannot write " in result.stderr
    assert result.stderr.endswith("; set MPSOPS_CACHE_DIR\n")


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac has an MPS device")
def test_without_a_device() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mpsops", "tune"],
        env={**os.environ, "MPSOPS_SIMULATOR": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "mpsops: there is no MPS device to measure on (on Linux, --simulator makes one)\n"
