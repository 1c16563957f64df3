"""Results files of models and pipelines: what the check finds, what reports and comparisons say."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import checking, comparing, files, programs, report
from benchmarks.models import CASES
from benchmarks.report.plots import programs as plot
from benchmarks.report.results import Results


def synthetic() -> dict[str, Any]:
    """A results file as of a simulated device: every program, with one of each way to have no time."""
    rows = []
    special = {
        ("LeNet-5", "train", "mps"): {"status": "unsupported", "note": "aten::x is not there | here"},
        ("VGG16", "train", "mps_fallback"): {"status": "crash", "note": "the process ended, exit code -11"},
        ("ResNet18", "infer", "mpsops"): {"status": "wrong", "note": "result off by 0.3 of the length"},
    }
    cases = programs.select("models", scale="full") + programs.select("pipelines", scale="small")
    for index, case in enumerate(cases):
        for place, provider in enumerate(("cpu", "mps", "mps_fallback", "mpsops")):
            device = "Some processor" if provider == "cpu" else "simulator on Some processor"
            row = {**case.as_row(), "provider": provider, "device": device, "status": "ok", "note": ""}
            milliseconds = case.batch * (1 + index % 7) * (1, 0.3, 2, 0.2)[place]
            change = special.get((case.name, case.mode, provider))
            times = (
                {}
                if change
                else {"lat_ms": milliseconds, "lat_q1_ms": milliseconds, "lat_q3_ms": milliseconds}
            )
            judged = {"judged_batch": min(case.batch, 4), "shape": [[case.batch, 3, 8, 8]], "fallback_ops": 0}
            judged |= {
                "scaled": "8 pixels",
                "batch": case.batch,
                "reference": "float64",
                "max_rel_err": 3e-7,
                "tol": 1e-5,
            }
            rows.append(
                {**row, **judged, **times, **({} if change else {"thr_ms": milliseconds}), **(change or {})}
            )
    halved = next(row for row in rows if row["name"] == "BERT-base" and row["batch_wanted"] == 64)
    halved["batch"] = 16
    environment = {
        "utc": "2026-01-02T03:04:05Z",
        "commit": None,
        "dirty": None,
        "mpsops": "0.1.0",
        "torch": "2.13.0",
        "python": "3.11",
        "system": "Linux",
        "processor": "Some processor",
        "cores": 2,
        "threads": 1,
        "runtime": "sim",
    }
    machine = {name: {"canaries_ms": [1.0], "noisy": False} for name in ("cpu", "mpsops")}
    return {"schema": 1, "env": environment, "machine": machine, "plan": {}, "rows": rows}


@pytest.fixture(scope="module")
def synthetic_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("synthetic") / "all.json"
    files.write(synthetic(), path)
    return path


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"batch": 0}, "0 is less than the minimum of 1"),
        ({"batch": None}, "None is not of type 'integer'"),
        ({"batch_wanted": None}, "None is not of type 'integer'"),
        ({"max_rel_err": None}, "None is not of type 'number'"),
        ({"scale": "huge"}, "'huge' is not one of"),
        ({"pass": "fwd"}, "'fwd' is not one of"),
        ({"size": "tiny"}, "A program has no column of an op."),
        ({"provider": "mpsops_cuda"}, "'mpsops_cuda' is not one of"),
        ({"status": "wrong"}, "what is not right has no time"),
        ({"provider": "mpsops", "fallback_ops": 1}, "0 was expected"),
        ({"suite": "ops"}, "'family' is a required property"),
        ({"suite": "ops"}, "An op has no column of a program."),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_the_check_finds(tmp_path: Path, change: dict[str, Any], problem: str | None) -> None:
    result = synthetic()
    result["rows"] = [{**result["rows"][0], **change}]
    path = tmp_path / "changed.json"
    files.write(result, path)
    found = list(checking.problems(path))
    assert not found if problem is None else any(problem in each for each in found), found


@pytest.mark.parametrize("column", ["batch_wanted", "batch", "scale", "scaled", "judged_batch"])
def test_a_program_must_have(tmp_path: Path, column: str) -> None:
    result = synthetic()
    row = result["rows"][0]
    result["rows"] = [{key: value for key, value in row.items() if key != column}]
    path = tmp_path / "changed.json"
    files.write(result, path)
    assert any(f"'{column}' is a required property" in each for each in checking.problems(path))


def test_reports_are_the_same_each_time(synthetic_file: Path, tmp_path: Path) -> None:
    assert not list(checking.problems(synthetic_file))
    written = [report.write([synthetic_file], tmp_path / folder) for folder in ("one", "two")]
    names = {path.name for path in written[0]}
    assert names >= {
        f"all--{suite}.{suffix}" for suite in ("models", "pipelines") for suffix in ("svg", "png")
    }
    for one, two in zip(*written, strict=True):
        assert one.read_bytes() == two.read_bytes()


def test_what_a_report_says(synthetic_file: Path, tmp_path: Path) -> None:
    report.write([synthetic_file], tmp_path, formats=["svg"])
    text = (tmp_path / "all.md").read_text()
    assert "these are no times of a Mac" in text
    for line in (
        "| AlexNet | inference | 64 | mpsops | right, in 4 of 64, 3e-07 off | 89.600 ms | 714.3 | 5.00 |",
        "| BERT-base | inference | 16, for want of memory not 64 | CPU | right, in 4 of 16, 3e-07 off |",
        "| LeNet-5 | training | 128 | stock MPS | unsupported: aten::x is not there \\| here | - | - | - |",
        "| ResNet18 | inference | 64 | mpsops | wrong: result off by 0.3 of the length | - | - | - |",
    ):
        assert line in text, line
    picture = (tmp_path / "all--models.svg").read_text()
    for words in (
        "simulator on Some processor, no times of a Mac",
        "published: D. Mishkin, May 2022, Apple M1",
        "published: S. Raschka, May 2022, Apple M1 Pro, accuracy 0 %",
        "2022: crashed",
        "stock MPS: unsupported",
        "CPU fallback: crash",
        "CPU: batch 16",
        "mpsops: wrong",
    ):
        assert words in picture, words
    assert "published" not in (tmp_path / "all--pipelines.svg").read_text()


def test_what_was_published_is_hollow() -> None:
    figures: dict[str, Any] = dict(plot.figures(Results(synthetic())))
    found = {
        suite: {
            (axes.get_title(loc="left"), line.get_xdata()[0])
            for axes in figure.axes
            for line in axes.lines
            if line.get_markerfacecolor() == "none"
        }
        for suite, figure in figures.items()
    }
    words = {"infer": "inference", "train": "training"}
    published = [each for case in CASES for each in case.published if each.speedup is not None]
    assert found == {"models": {(words[each.mode], each.speedup) for each in published}, "pipelines": set()}


def test_other_batches_are_not_compared() -> None:
    old, new = synthetic(), synthetic()
    assert not comparing.compare(old, new).regressions(1.15)
    new["rows"][0].update(batch=1 + old["rows"][0]["batch"])
    (found,) = comparing.compare(old, new).regressions(1.15)
    assert found.note == f"the batch was {old['rows'][0]['batch']}, and is {new['rows'][0]['batch']}"
