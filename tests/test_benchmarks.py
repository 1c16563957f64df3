"""The benchmarks: that every op has one, that wrong results have no speed, that files are what they say.

Nothing here depends on how long anything takes.
"""

import queue
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

import mpsops
from benchmarks import checking, files, providers, runner
from benchmarks.pairs import pairs
from benchmarks.traffic import bytes_moved
from mpsops._harness import calls, cases, overloads, timing
from mpsops._harness.correctness import Judge, results

ROOT = Path(__file__).resolve().parents[1]
# Ops that other families' benchmarks cannot reach by name, because the running torch has no such op.
ABSENT = {row.name for row in mpsops.ops() if row.state == "absent"}


def case_of(name: str, **parts: str) -> cases.Case:
    row = next(row for row in mpsops.ops() if row.name == name)
    return cases.Case(**{"name": name, "family": row.family, "size": "tiny", "dtype": "float32", **parts})


def test_every_op_has_a_benchmark() -> None:
    missing = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, about ops that it deprecates
        for row in sorted(mpsops.ops(), key=lambda row: row.family):  # which share their inputs
            if row.name in ABSENT:
                continue
            try:
                func, call = calls.build(case_of(row.name, dtype=cases.main_dtype(row)), device="cpu")
            except calls.NoCallError as error:
                missing.append(f"{row.name}: {error}")
                continue
            assert overloads.rebound(func, overloads.bound(func, call)) is not None
    assert not missing


def test_the_grid_has_every_size_dtype_and_layout() -> None:
    grid = cases.all_cases()
    assert {case.name for case in grid} == {row.name for row in mpsops.ops()}
    assert len({case.id for case in grid}) == len(grid)
    of_mode = {(case.size, case.dtype, case.layout) for case in grid if case.name == "aten::mode"}
    assert {size for size, _, _ in of_mode} == {"tiny", "medium", "large", "odd", "batch"}
    assert {dtype for _, dtype, _ in of_mode} == {"float32", "float16", "bfloat16", "int64"}
    assert ("medium", "float32", "strided") in of_mode
    assert {case.direction for case in cases.select(["pdist"])} == {"fwd", "bwd"}


def test_selection() -> None:
    assert {case.name for case in cases.select(["mode"], ["tiny"])} == {"aten::mode", "aten::mode.values"}
    with pytest.raises(ValueError, match="op: must name an overload, an op or a family, got 'nothing'"):
        cases.select(["nothing"])
    with pytest.raises(ValueError, match=r"sizes: must be of tiny, .*, got huge"):
        cases.select([], ["huge"])


def judged(name: str, change: Any, **parts: str) -> Any:
    case = case_of(name, **parts)
    func, call = calls.build(case, "cpu")
    found = results(func, call)
    return Judge(case.family, func, call).verdict(call, change(found))


def one_element(change: Any) -> Any:
    def changed(found: list[torch.Tensor]) -> list[torch.Tensor]:
        found[0].view(-1)[3] = change(found[0].view(-1)[3])
        return found

    return changed


def test_right_results() -> None:
    verdict = judged("aten::heaviside", lambda found: found)
    assert (verdict.note, verdict.reference, verdict.max_abs_err) == ("", "float64", 0.0)
    assert judged("aten::heaviside", lambda found: found, dtype="float16").note == ""


@pytest.mark.parametrize(
    "change",
    [lambda x: x + 1e-3, lambda x: x * float("nan"), lambda x: x + float("inf")],
    ids=["off", "nan", "inf"],
)
def test_wrong_results(change: Any) -> None:
    assert "output 0 is off by" in judged("aten::_pdist_forward", one_element(change)).note


def test_the_reference_is_right_where_the_cpu_kernel_is_not() -> None:
    """PyTorch's _masked_softmax reads a strided mask as if it were contiguous."""
    parts = {"layout": "strided", "size": "medium"}
    case = case_of("aten::_masked_softmax", **parts)
    func, ((x, mask, *rest), _) = calls.build(case, "cpu")
    assert not mask.is_contiguous()
    expected = func(x.contiguous(), mask.contiguous(), *rest)
    assert judged(case.name, lambda found: [expected], **parts).note == ""
    assert "is off by" in judged(case.name, lambda found: [expected * 1.01], **parts).note


def test_wrong_indices() -> None:
    def swapped(found: list[torch.Tensor]) -> list[torch.Tensor]:
        return [found[0], found[1].flip(-1)]

    assert judged("aten::mode", lambda found: found).note == ""
    assert judged("aten::mode", swapped).note == "an index points to another value"
    assert "output 1 is off" in judged("aten::adaptive_max_pool2d", swapped).note


def test_wrong_distribution() -> None:
    assert judged("aten::poisson", lambda found: found).note == ""
    assert "standard deviations off" in judged("aten::poisson", lambda found: [found[0] * 1.5]).note


def moved_by(name: str) -> int:
    case = case_of(name)
    func, call = calls.build(case, "cpu")
    return bytes_moved(case.family, name, func, call, results(func, call))


def test_bytes_that_a_call_moves() -> None:
    tensor = 4 * 32 * 4
    assert moved_by("aten::heaviside") == 3 * tensor
    assert moved_by("aten::heaviside.out") == 3 * tensor
    assert moved_by("aten::heaviside_") == 3 * tensor
    assert moved_by("aten::frexp.Tensor_out") == 3 * tensor
    assert moved_by("aten::take") == 32 * (8 + 2 * 4)  # a quarter, of indices and elements


class FakeClock:
    """Time passes in calls alone."""

    device = "cpu"

    def __init__(self) -> None:
        self.passed = 0.0
        self.log: list[str] = []

    def synchronize(self) -> None:
        self.log.append("wait")

    def device_seconds(self, block: Any, lead: float) -> float | None:
        before = self.passed
        block()
        return self.passed - before

    def now(self) -> float:
        return self.passed

    def contestant(self, name: str, seconds: float, first: float) -> timing.Contestant:
        durations = iter([first])

        def call() -> None:
            self.log.append(name)
            self.passed += next(durations, seconds)

        return timing.Contestant(name, call, lambda: self.log.append(f"select {name}"))


def test_contestants_take_turns_and_the_first_call_counts_apart() -> None:
    clock = FakeClock()
    plan = timing.Plan(rounds=3, latencies=2, block=0.01, longest=10.0, calls=100)
    found = timing.measure(clock, [clock.contestant("a", 1e-3, 0.5), clock.contestant("b", 2e-3, 0.25)], plan)
    assert found["a"].first == pytest.approx(0.5)
    assert found["b"].first == pytest.approx(0.25)
    for name, seconds, block in (("a", 1e-3, 10), ("b", 2e-3, 5)):
        samples = found[name]
        assert abs(samples.block - block) <= 1
        for values in (samples.latency, samples.throughput, samples.device, samples.host):
            assert values == pytest.approx([seconds] * len(values))
        assert (len(samples.latency), len(samples.throughput)) == (6, 3)
    selected = [entry for entry in clock.log if entry.startswith("select")]
    assert selected == ["select a", "select b"] * 4
    row = timing.as_row(found["b"])
    assert (row["lat_ms"], row["host_us"]) == (pytest.approx(2.0), pytest.approx(2000.0))


def test_slow_calls_are_made_less_often() -> None:
    clock = FakeClock()
    found = timing.measure(clock, [clock.contestant("slow", 2.0, 3.0)], timing.Plan())
    assert (found["slow"].block, len(found["slow"].throughput)) == (1, 1)
    # Cold, warm, after the selection, with a wait, in a block, in a block by the device's clock.
    assert clock.log.count("slow") == 6


CASES = [case_of("aten::mode", size=size) for size in ("tiny", "odd", "medium")]


class FakeProcess:
    """A worker that says what a script has for it; None is its end, an exception is raised."""

    scripts: list[list[Any]]

    def __init__(self, provider: Any, plan: Any, given: Any) -> None:
        self.cases = list(given)
        self.script = iter(self.scripts.pop(0))
        self.process = self

    def next(self, seconds: float) -> Any:
        message = next(self.script)
        if isinstance(message, Exception):
            raise message
        return message

    def row(self, index: int) -> dict[str, Any]:
        return {**self.cases[index].as_row(), "provider": "cpu", "status": "ok"}

    def end(self) -> int:
        return -11

    wait = end


def start() -> dict[str, Any]:
    return {"kind": "start", "env": {}, "baselines": {"canary_ms": 1.0}}


def outcome_of(monkeypatch: pytest.MonkeyPatch, *scripts: list[Any]) -> list[tuple[str, str, str]]:
    FakeProcess.scripts = list(scripts)
    monkeypatch.setattr(runner, "_Process", FakeProcess)
    outcome = runner.run_provider(providers.PROVIDERS["cpu"], CASES, timing.QUICK, budget=1000)
    assert not FakeProcess.scripts
    return [(row["size"], row["status"], row["note"]) for row in outcome.rows]


def row(case: cases.Case) -> dict[str, Any]:
    return {"kind": "row", **case.as_row(), "provider": "cpu", "status": "ok", "note": ""}


def test_a_crash_is_a_row_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    first = [start(), {"kind": "case", "index": 0}, row(CASES[0]), {"kind": "case", "index": 1}, None]
    second = [start(), {"kind": "case", "index": 0}, row(CASES[2]), {"kind": "end"}]
    assert outcome_of(monkeypatch, first, second) == [
        ("tiny", "ok", ""),
        ("odd", "crash", "the process ended, exit code -11"),
        ("medium", "ok", ""),
    ]


def test_a_case_that_does_not_end_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    first = [start(), {"kind": "case", "index": 0}, queue.Empty()]
    second = [start(), *({"kind": "case", "index": 0}, row(CASES[1])), {"kind": "case", "index": 1}]
    second += [row(CASES[2]), {"kind": "end"}]
    assert [each[:2] for each in outcome_of(monkeypatch, first, second)] == [
        ("tiny", "timeout"),
        ("odd", "ok"),
        ("medium", "ok"),
    ]


def test_a_process_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="cpu: its process ended before the first case, exit code -11"):
        outcome_of(monkeypatch, [None])


def test_time_that_a_provider_does_not_use_is_the_next_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, shares = FakeClock(), []
    monkeypatch.setattr(runner, "time", type("time", (), {"monotonic": staticmethod(clock.now)}))

    def run_provider(provider: Any, given: Any, plan: Any, budget: float, **_: Any) -> runner.Outcome:
        shares.append(budget)
        clock.passed += {"cpu": 10, "mps": 1, "mps_fallback": 200}.get(provider.name, 0)
        return runner.Outcome()

    monkeypatch.setattr(runner, "run_provider", run_provider)
    names = ("cpu", "mps", "mps_fallback", "mpsops")
    runner.run([providers.PROVIDERS[name] for name in names], CASES, timing.QUICK, 100.0)
    assert shares == [25.0, 30.0, 44.5, 0.0]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the comparison on an NVIDIA GPU does, on the simulated device: every part but the card."""
    path = tmp_path_factory.mktemp("results") / "rehearsal.json"
    command = [sys.executable, "-m", "benchmarks", "nvidia", "--rehearse", "--quick", "--size", "tiny"]
    command += ["--op", "frexp", "--op", "pdist", "--budget", "100", "--json", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "geometric mean" in done.stdout
    return path


def test_two_kernels_in_one_process(measured: Path) -> None:
    result = files.load(measured)
    assert {(each["provider"], each["status"]) for each in result["rows"]} == {
        ("mpsops", "ok"),
        ("mps_fallback", "ok"),
    }
    for each in result["rows"]:
        assert each["fallback_ops"] == (1 if each["provider"] == "mps_fallback" else 0)
        assert each["device"].startswith("simulator on ")
    assert all(pair.ratio for pair in pairs(result["rows"], "mpsops", "mps_fallback"))


def test_committed_results() -> None:
    for path in sorted(files.RESULTS.rglob("*.json")):
        assert not list(checking.problems(path)), path


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"status": "wrong"}, "what is not right has no time"),
        ({"reference": None}, "None is not of type 'string'"),
        ({"fallback_ops": 2, "provider": "mpsops"}, "0 was expected"),
        ({"status": "fine"}, "'fine' is not one of"),
        ({"note": "/home/somebody/x"}, "must not have paths"),
        ({"more": 1}, "Additional properties"),
    ],
    ids=["unchanged", "wrong", "no verdict", "fallback", "status", "path", "unknown"],
)
def test_what_the_check_finds(
    measured: Path, tmp_path: Path, change: dict[str, Any], problem: str | None
) -> None:
    result = files.load(measured)
    rows = [each for each in result["rows"] if each["provider"] == "mpsops"]
    rows[0].update(change)
    path = tmp_path / "changed.json"
    files.write({**result, "rows": rows}, path)
    found = list(checking.problems(path))
    assert not found if problem is None else any(problem in each for each in found), found
