"""Models and pipelines in ``python -m benchmarks``: which there are, verdicts, memory, a run.

Nothing here depends on how long anything takes.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from torch import Tensor, nn
from typer.testing import CliRunner

from benchmarks import checking, cli, files, programs, providers, suites, worker
from benchmarks.measuring import bench
from benchmarks.measuring import programs as measuring
from benchmarks.models import CASES, Workload
from benchmarks.models.judging import ProgramJudge, distance
from benchmarks.programs import ProgramCase
from benchmarks.suites import Selection
from mpsops._harness import timing

ROOT = Path(__file__).resolve().parents[1]
LENET = ProgramCase("LeNet-5", "train", 4, "small")


def test_every_model_is_there_in_each_of_its_modes() -> None:
    cases = suites.select(Selection("models", scale="full")) + suites.select(
        Selection("pipelines", scale="full")
    )
    found = {(case.as_row()["name"], case.as_row()["pass"], case.as_row()["batch_wanted"]) for case in cases}
    assert found == {
        (model.name, mode, batch)
        for model in CASES
        for mode, batches in (("infer", model.infer_batches), ("train", model.train_batches))
        for batch in batches
    }
    assert len({case.id for case in cases}) == len(cases)
    assert {case.suite for case in cases} == {"models", "pipelines"}


def test_small_programs_have_small_batches() -> None:
    cases = programs.select("models", ["vgg16"], scale="small")
    assert [case.id for case in cases] == [
        "VGG16-infer-b1-small",
        "VGG16-infer-b4-small",
        "VGG16-train-b4-small",
    ]
    assert {case.scale for case in programs.select("pipelines")} == {programs.default_scale()}


def test_selection() -> None:
    def ids(selection: Selection) -> set[str]:
        return {case.suite for case in suites.select(selection)}

    assert ids(Selection()) == {"ops"}
    assert ids(Selection(model=["*"])) == {"models", "pipelines"}
    assert ids(Selection(model=["lenet*"], op=["mode"])) == {"ops", "models"}
    assert ids(Selection("all")) == {"ops", "models", "pipelines"}
    modes = {case.as_row()["pass"] for case in suites.select(Selection("models", mode=["train"]))}
    assert modes == {"train"}


def test_a_run_without_a_suite_is_of_ops(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: set[str] = set()

    def measure(names: list[str], cases: list[suites.Case], *_: Any, **__: Any) -> None:
        measured.update(case.suite for case in cases)
        raise typer.Exit

    monkeypatch.setattr(cli, "measured", measure)
    assert CliRunner().invoke(cli.app, ["run", "--size", "tiny"]).exit_code == 0
    assert measured == {"ops"}


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (Selection("songs"), "suite: must be of ops, models, pipelines, all, got songs"),
        (
            Selection("models", model=["ResNet1999"]),
            "model: must name a model or a pipeline, got 'ResNet1999'",
        ),
        (Selection("pipelines", model=["LeNet-5"]), "model: must name a model or a pipeline, got 'LeNet-5'"),
        (Selection("ops", model=["LeNet-5"]), "model: the suite ops has none"),
        (Selection("models", op=["mode"]), "op: the suite models has none"),
        (Selection("models", mode=["sleep"]), "mode: must be of infer, train, got sleep"),
        (Selection("models", scale="huge"), "scale: must be of small, full, got huge"),
    ],
)
def test_what_cannot_be_selected(selection: Selection, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        suites.select(selection)


def test_cases_travel_to_another_process() -> None:
    for case in (LENET, *suites.select(Selection("ops", op=["mode"], size=["tiny"]))):
        assert suites.loaded(suites.dumped(case)) == case


class Masked(nn.Module):
    """A linear model with dropout of every kind that programs use."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.dropout = nn.Dropout(0.5)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = nn.functional.dropout(self.dropout(self.linear(inputs)), 0.5, self.training)
        p = 0.5 if self.training else 0.0
        attended = nn.functional.scaled_dot_product_attention(hidden, hidden, hidden, dropout_p=p)
        return nn.functional.dropout(attended, 0.5, self.training, inplace=True)


def masked(batch: int) -> Workload:
    torch.manual_seed(0)
    inputs = torch.randn(batch, 4, 8)
    return Workload(Masked(), (inputs,), lambda result: result.square().mean(), independent=True)


class Rounded(nn.Module):
    """In float32, a value and its gradient that are `error` of their size off."""

    def __init__(self, error: float) -> None:
        super().__init__()
        self.error = error
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * self.weight * (1 + self.error if inputs.dtype == torch.float32 else 1)


@pytest.mark.parametrize(
    ("own", "factor", "right"),
    [(1e-3, 1.003, True), (1e-3, 1.006, False), (1e-6, 1.001, False), (0.4, 0.9, False)],
)
def test_amplified_rounding_is_allowed_as_far_as_the_cpu_has_it(
    own: float, factor: float, right: bool
) -> None:
    workload = Workload(Rounded(own), (torch.ones(2, 4),), independent=True)
    judge = ProgramJudge(workload, "infer", 2)
    exact = [torch.full((2, 4), factor)]
    assert (judge.verdict({"result": exact}).note == "") == right


@pytest.mark.parametrize("mode", ["infer", "train"])
def test_dropout_decides_no_verdict(mode: Any) -> None:
    workload = masked(2)
    judge = ProgramJudge(workload, mode, 2)
    torch.manual_seed(1)
    verdict = judge.verdict(judge.observed(workload.to("cpu"), "cpu"))
    assert (verdict.note, verdict.reference) == ("", "float64")
    assert 0 < verdict.max_rel_err < verdict.tol <= 1e-4


@pytest.mark.parametrize(
    ("mode", "part"), [("infer", "result"), *(("train", p) for p in ("loss", "gradients", "weights"))]
)
@pytest.mark.parametrize("factor", [1.001, 0.0, float("nan")])
def test_a_wrong_result(mode: Any, part: str, factor: float) -> None:
    workload = masked(2)
    judge = ProgramJudge(workload, mode, 2)
    found = judge.observed(workload.to("cpu"), "cpu")
    found[part] = [each * factor for each in found[part]]
    assert judge.verdict(found).note.startswith(f"{part} off by ")


def test_the_whole_batch_is_run_and_its_ends_are_judged() -> None:
    workload = masked(9)
    judge = ProgramJudge(workload, "infer", 9)
    assert (judge.chosen, judge.items) == ([0, 3, 5, 8], 4)
    whole = workload.to("cpu")
    found = judge.observed(whole, "cpu")
    assert distance(found["result"], [whole.infer()[[0, 3, 5, 8]]]) == 0
    assert judge.verdict(found).note == ""
    whole.inputs[0][-1] += 1
    assert "result off by" in judge.verdict(judge.observed(whole, "cpu")).note


def on_cpu(name: str = "cpu") -> bench.Bench:
    """A provider of this name, whose device is the CPU."""
    return bench.Bench(providers.Provider(name, "cpu", {}), timing.QUICK)


def result_of(case: ProgramCase, provider: str = "cpu") -> bench.Result:
    (result,) = measuring.measure(case, on_cpu(provider))
    return result


@pytest.mark.parametrize("mode", ["infer", "train"])
def test_a_wrong_result_is_a_status(monkeypatch: pytest.MonkeyPatch, mode: Any) -> None:
    original = ProgramJudge.observed

    def observed(self: ProgramJudge, on_device: Workload, device: str) -> Any:
        found = original(self, on_device, device)
        return {key: [1.01 * each for each in tensors] for key, tensors in found.items()}

    monkeypatch.setattr(ProgramJudge, "observed", observed)
    result = result_of(ProgramCase("LeNet-5", mode, 2, "small"))
    assert (result.status, result.columns["max_rel_err"]) == ("wrong", pytest.approx(0.01, rel=0.01))
    assert not {"lat_ms", "thr_ms"} & set(result.columns)


def test_what_leaves_the_device_is_no_result_of_mpsops(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def counted(counts: list[int]) -> Iterator[None]:
        yield
        counts.append(2)

    monkeypatch.setattr(providers, "counted_fallbacks", counted)
    ours, theirs = result_of(LENET, "mpsops"), result_of(LENET, "mps_fallback")
    assert (ours.status, ours.note) == ("error", "2 ops left the device")
    assert (theirs.status, theirs.columns["fallback_ops"]) == ("ok", 2)


@pytest.mark.parametrize(
    ("error", "status", "note"),
    [
        (NotImplementedError("aten::x has no kernel. And more"), "unsupported", "aten::x has no kernel"),
        (RuntimeError("a kernel failed"), "error", "a kernel failed"),
        (ModuleNotFoundError("No module", name="timm"), "skipped", "needs timm: pip install 'mpsops[bench]'"),
    ],
    ids=["missing op", "failure", "missing package"],
)
def test_what_is_raised_is_a_status(
    monkeypatch: pytest.MonkeyPatch, error: Exception, status: str, note: str
) -> None:
    def infer(self: Workload) -> Any:
        raise error

    monkeypatch.setattr(Workload, "infer", infer)
    result = result_of(ProgramCase("LeNet-5", "infer", 1, "small"), "mpsops")
    assert (result.status, result.note) == (status, note)


def test_the_batch_is_halved_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    original = timing.measure

    def measure(clock: Any, contestants: Any, plan: timing.Plan) -> Any:
        (contestant,) = contestants
        batch = len(contestant.call.__closure__[1].cell_contents.inputs[0])
        tried.append(batch)
        if batch > 2:
            raise RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)")
        return original(clock, contestants, plan)

    monkeypatch.setattr(timing, "measure", measure)
    result = result_of(ProgramCase("LeNet-5", "train", 8, "small"))
    assert (tried, result.status) == ([8, 4, 2], "ok")
    assert (result.columns["batch"], result.columns["shape"]) == (2, [[2, 1, 32, 32]])


def test_memory_that_is_never_enough(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(*_: Any) -> Any:
        raise torch.OutOfMemoryError("MPS backend out of memory")

    monkeypatch.setattr(timing, "measure", measure)
    worker.Worker(on_cpu()).run(LENET)
    (row,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (row["kind"], row["status"], row["batch"]) == ("row", "oom", None)


def test_a_run(tmp_path: Path) -> None:
    """LeNet-5 on the CPU and by mpsops, in a process each."""
    path = tmp_path / "lenet.json"
    command = [sys.executable, "-m", "benchmarks", "run", "--model", "lenet-5", "--provider", "cpu,mpsops"]
    command += ["--quick", "--scale", "small", "--json", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not list(checking.problems(path))
    rows = files.load(path)["rows"]
    assert {(row["case"], row["provider"], row["status"]) for row in rows} == {
        (f"LeNet-5-{mode}-small", provider, "ok")
        for mode in ("infer-b1", "infer-b4", "train-b4")
        for provider in ("cpu", "mpsops")
    }
    for row in rows:
        assert row["device"].startswith("simulator on ") == (row["provider"] == "mpsops")
        assert (row["fallback_ops"], row["reference"], row["judged_batch"]) == (0, "float64", row["batch"])
        assert 0 < row["max_rel_err"] < row["tol"] <= 1e-4
