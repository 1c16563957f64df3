"""Reports of benchmarks: what they say of files that are written here; committed ones are up to date."""

import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from benchmark_files import SIMULATOR, SIZES, everything, failed, file_of, row

from benchmarks import checking, files, report
from benchmarks.report import headline
from benchmarks.report.counts import compared
from benchmarks.report.plots.dumbbell import missing
from benchmarks.report.results import GPU, LATENCY, Results, plain


def written(result: dict[str, Any], folder: Path, name: str = "file", **options: Any) -> str:
    source = folder / f"{name}.json"
    files.write(result, source)
    report.write([source], folder / "out", **options)
    return (folder / "out" / f"{name}.md").read_text()


def test_files_of_these_tests_are_valid(tmp_path: Path) -> None:
    files.write(everything(), tmp_path / "file.json")
    assert not list(checking.problems(tmp_path / "file.json"))


def test_the_fastest_of_the_others_is_the_rival() -> None:
    results = Results(everything())
    assert results.measure is LATENCY
    entries = {(entry.op, entry.case["size"]): entry for entry in results.entries}
    wins, loses, ties = (entries[op, "medium"] for op in ("wins", "loses", "ties"))
    assert [each.rival for each in (wins, loses, ties)] == ["cpu"] * 3
    assert (wins.ratio, loses.ratio) == (pytest.approx(4.0), pytest.approx(0.25))
    assert loses.ratio_to("mps_fallback") == pytest.approx(0.625)
    assert [each.words for each in (wins, loses, ties)] == [
        "faster than CPU",
        "slower than CPU",
        "no difference to CPU",  # by 5 %, but the quartiles overlap
    ]
    assert entries["errs", "tiny"].words == "wrong"
    assert entries["alone", "tiny"].words == "no other has a time"
    assert (entries["errs", "tiny"].ratio, entries["alone", "tiny"].ratio) == (None, None)


def test_quartiles_that_overlap_are_no_difference() -> None:
    for factor, words in (
        (0.9, "no difference to CPU"),
        (1.1, "no difference to CPU"),
        (0.7, "faster than CPU"),
    ):
        rows = [row("x", "cpu", "tiny", 1.0), row("x", "mpsops", "tiny", factor)]
        assert Results(file_of(rows)).entries[0].words == words


def test_a_difference_that_nobody_notices_is_none() -> None:
    narrow = {"lat_q1_ms": 1.0, "lat_q3_ms": 1.0}
    for factor, words in ((1.01, "no difference to CPU"), (1.05, "slower than CPU")):
        ours = row("x", "mpsops", "tiny", 1.0) | {"lat_ms": factor, "lat_q1_ms": factor, "lat_q3_ms": factor}
        (entry,) = Results(file_of([row("x", "cpu", "tiny", 1.0) | narrow, ours])).entries
        assert entry.words == words


def test_counts() -> None:
    results = Results(everything())
    best = compared(results.entries)
    assert (len(best.ratios), dict(best.outcomes)) == (9, {"faster": 3, "slower": 3, "equal": 3})
    assert best.median == pytest.approx(2.0 / 2.1)
    assert len(compared(results.entries, "mps").ratios) == 0
    fallback = compared(results.entries, "mps_fallback")
    assert dict(fallback.outcomes) == {"faster": 6, "slower": 3}


def test_what_the_document_says(tmp_path: Path) -> None:
    text = written(everything(), tmp_path, formats=())
    lines = text.splitlines()
    assert lines[0] == f"# Benchmarks: {SIMULATOR}, torch 2.13.0"
    assert "The device is simulated on this processor: these are no times of a Mac." in lines
    for line in (
        # By: right, wrong, unsupported, failed, not reached.
        "| CPU | 10 | 0 | 0 | 1 | 0 |",
        "| stock MPS | 0 | 0 | 9 | 1 | 1 |",
        "| CPU fallback | 9 | 0 | 0 | 0 | 2 |",
        "| mpsops | 10 | 1 | 0 | 0 | 0 |",
        "| the fastest of them | 9 | 3 | 3 | 3 | 0.98 | 0.95 | 0.25 | 4.00 | 0.98 |",
        "| `loses` | tiny | 4x32 | float32 | 1.000 ms | unsupported | 2.500 ms | 4.000 ms | 0.25 | 2e-07 "
        "| slower than CPU |",
        "| `wins` | large | 4x32 | float32 | 400.000 ms | unsupported | 800.000 ms | 100.000 ms | 4.00 "
        "| 2e-07 | faster than CPU |",
        "| `errs` | tiny | 4x32 | float32 | 1.000 ms | crash | not reached | wrong | - | - | - | - | - |",
        "| wrong | `errs` | mpsops | 1 | it was wrong |",
        "| oom | `alone` | CPU | 1 | it was oom |",
    ):
        assert line in lines, line
    assert "Noisy" not in text


def test_a_noisy_run_says_so(tmp_path: Path) -> None:
    result = everything()
    result["machine"]["cpu"]["noisy"] = True
    assert "**Noisy**" in written(result, tmp_path, formats=())
    assert f"[{SIMULATOR}](file.md) (noisy)" in (tmp_path / "out" / "README.md").read_text()


def test_what_was_noted_before_the_run(tmp_path: Path) -> None:
    result = file_of(everything()["rows"], preflight=["load: must be at most 4", "power: must be mains"])
    text = written(result, tmp_path, formats=())
    assert "| noted before the run | load: must be at most 4; power: must be mains |" in text


def test_the_headline_has_losses_and_wins_of_many_families() -> None:
    rows = []
    for i in range(60):
        rows += [row(f"op{i}", "cpu", size, 1.0 + i) for size in ("tiny", "medium")]
        rows += [row(f"op{i}", "mpsops", size, 20.0) for size in ("tiny", "medium")]
    chosen = headline.chosen(Results(file_of(rows)).entries)
    found = [entry.case["family"] for entry in chosen]
    assert found[:8] == [f"op{i}" for i in range(8)]
    assert found[-8:] == [f"op{i}" for i in range(52, 60)]
    assert set(found[8:-8]) == {f"op{i}" for i in range(26, 34)}
    assert [entry.ratio for entry in chosen] == sorted(entry.ratio or 0.0 for entry in chosen)


def test_the_clock_of_the_gpu_counts_only_where_all_have_it() -> None:
    gpu = {"gpu_ms": 0.5, "gpu_q1_ms": 0.5, "gpu_q3_ms": 0.5}
    both = [row("x", "torch_cuda", "tiny", 1.0) | gpu, row("x", "mpsops_cuda", "tiny", 1.0) | gpu]
    assert Results(file_of(both)).measure is GPU
    one = [row("x", "cpu", "tiny", 1.0), row("x", "mpsops", "tiny", 1.0) | gpu]
    assert Results(file_of(one)).measure is LATENCY


def test_devices_are_not_mixed() -> None:
    rows = [row("x", "mps", "tiny", 1.0), row("x", "mpsops", "tiny", 1.0, device="Apple M1")]
    with pytest.raises(ValueError, match="results: a file must be of one device, got Apple M1, simulator on"):
        Results(file_of(rows))


def test_plain_cases_are_of_the_dtype_with_most_sizes() -> None:
    rows = [row("x", "mpsops", size, 1.0, dtype="int64", case=f"int-{size}") for size in SIZES]
    rows += [
        row("x", "mpsops", "large", 1.0),
        row("x", "mpsops", "tiny", 1.0, layout="strided", case="strided"),
    ]
    assert [entry.case["case"] for entry in plain(Results(file_of(rows)).entries)] == [
        "int-tiny",
        "int-medium",
        "int-large",
    ]


def test_what_stands_where_a_dot_is_missing() -> None:
    entries = {entry.op: entry for entry in Results(everything()).entries}
    providers = ["cpu", "mps", "mps_fallback", "mpsops"]
    assert missing(entries["wins"], providers) == "MPS: unsupported"
    assert missing(entries["errs"], providers) == "MPS: crash; fallback: not reached; mpsops: wrong"


def test_pictures(tmp_path: Path) -> None:
    written(everything(), tmp_path, formats=("svg",))
    names = {path.name for path in (tmp_path / "out").glob("*.svg")}
    assert names == {
        f"file--{name}.svg" for name in ("ratio", "ops-tiny", "ops-medium", "ops-large", "sizes", "bandwidth")
    }
    for name in names:
        text = (tmp_path / "out" / name).read_text()
        assert f"{SIMULATOR}, no times of a Mac; torch 2.13.0" in text, name
    dumbbell = (tmp_path / "out" / "file--ops-tiny.svg").read_text()
    for words in (
        "launch floor, 10.0 µs",
        "CPU fallback",
        "MPS: crash; fallback: not reached; mpsops: wrong",
    ):
        assert words in dumbbell
    assert "launch floor, 10.0 µs" in (tmp_path / "out" / "file--sizes.svg").read_text()


def test_reports_are_the_same_each_time(tmp_path: Path) -> None:
    result = file_of([each for each in everything()["rows"] if each["size"] == "large"])
    result["rows"].append(row("wins", "mpsops", "tiny", 1.0))
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        written(result, tmp_path / folder)
    one, two = (sorted((tmp_path / folder / "out").iterdir()) for folder in ("one", "two"))
    assert {path.suffix for path in one} == {".csv", ".md", ".svg", ".png"}
    assert [path.name for path in one] == [path.name for path in two]
    assert {path.stem.removeprefix("file--") for path in one if path.suffix == ".png"} == {
        "ratio",
        "ops-tiny",
        "ops-large",
        "sizes",
        "bandwidth",
    }
    for path, other in zip(one, two, strict=True):
        assert path.read_bytes() == other.read_bytes(), path.name


def test_a_file_of_one_provider(tmp_path: Path) -> None:
    rows = [row("x", "cpu", "tiny", 1.0, device="Some Processor"), failed("y", "cpu", "tiny", "timeout")]
    text = written(file_of(rows), tmp_path, formats=("svg",))
    assert "| `x` | tiny | 4x32 | float32 | 1.000 ms |" in text
    assert "against the others" not in text


def test_several_machines(tmp_path: Path) -> None:
    first, second = tmp_path / "0.1.0" / "ops.json", tmp_path / "0.2.0" / "ops.json"
    files.write(everything(), first)
    files.write(file_of(everything()["rows"], mpsops="0.2.0"), second)
    report.write([first, second], tmp_path / "out", formats=())
    lines = (tmp_path / "out" / "README.md").read_text().splitlines()
    assert f"| [{SIMULATOR}](0.1.0--ops.md) | 2.13.0 | 0.1.0 | 2026-01-02 | 11 | 10 | 0.95 |" in lines
    assert f"| [{SIMULATOR}](0.2.0--ops.md) | 2.13.0 | 0.2.0 | 2026-01-02 | 11 | 10 | 0.95 |" in lines
    assert {path.name for path in (tmp_path / "out").glob("*.md")} == {
        "README.md",
        "0.1.0--ops.md",
        "0.2.0--ops.md",
    }


def drawn_by(picture: str) -> str:
    found = re.search(r"Matplotlib v([\w.]+)", picture)
    assert found is not None
    return found[1]


def test_committed_reports_are_those_of_the_committed_results(tmp_path: Path) -> None:
    """`python -m benchmarks report` makes them. Pictures are compared where this matplotlib drew them."""
    folder = tmp_path / "docs" / "benchmark-results"
    made = [
        path for path in report.write(files.committed(), folder, formats=("svg",)) if path.suffix != ".csv"
    ]
    assert {path.name for path in made} == {
        path.name for path in files.DOCUMENTS.iterdir() if path.suffix in {".md", ".svg"}
    }
    for path in made:
        committed = (files.DOCUMENTS / path.name).read_text()
        if path.suffix == ".svg" and drawn_by(committed) != mpl.__version__:
            continue
        # Outside of the repository there is no link to the document.
        text = path.read_text().replace("`docs/benchmarks.md`", "[docs/benchmarks.md](../benchmarks.md)")
        assert committed == text, path.name
