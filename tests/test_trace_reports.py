"""What a trace prints and writes."""

import json
import re
from dataclasses import asdict, replace

import pytest
import torch

import mpsops
from mpsops import Trace, TraceRow
from mpsops.tracing import text
from mpsops.tracing.treemap import Box, squarify

ROWS = [
    TraceRow("aten::mode", "mpsops", "/project/a.py", 12, False, 4, 0.002, 0),
    TraceRow("aten::add.Tensor", "stock", "/project/a.py", 3, True, 90, 0.001, 0),
    TraceRow("aten::add.Tensor", "stock", "", 0, True, 10, 0.0005, 0),
    TraceRow("aten::take", "cpu", "/project/a.py", 14, False, 5, 0.004, 0),
    TraceRow("aten::linalg_svd", "fallback", "/project/<b|c>.py", 1, False, 2, 0.003, 4_096),
    TraceRow("aten::ormqr", "missing", "/project/a.py", 20, False, 1, 0.0001, 0),
    TraceRow("aten::mul.Tensor", "raised", "/project/a.py", 21, False, 1, 0.0001, 0),
]


def written() -> str:
    """A trace as to_json() writes it."""
    trace = mpsops.trace()
    trace._recorded = list(ROWS), 0.0003, 0.5
    return trace.to_json()


@pytest.fixture
def trace() -> Trace:
    return Trace.from_json(written())


def test_json_round_trip(trace: Trace) -> None:
    assert set(trace.rows) == set(ROWS)
    assert trace.to_json() == written()
    assert trace.totals.wall_seconds == 0.5


def test_json_schema(trace: Trace) -> None:
    data = json.loads(trace.to_json())
    assert list(data) == ["format", "torch", "device", "synchronize", "totals", "candidates", "rows"]
    assert (data["format"], data["torch"]) == (1, torch.__version__)
    assert data["rows"][0] == asdict(ROWS[3])
    assert data["totals"]["places"]["fallback"] == {"calls": 2, "seconds": 0.003, "bytes_copied": 4_096}
    assert data["totals"]["seconds"] == pytest.approx(0.011)
    assert [one["op"] for one in data["candidates"]] == ["aten::take", "aten::linalg_svd", "aten::ormqr"]


@pytest.mark.parametrize("wrong", ["[]", "{}", '{"format": 2}'])
def test_json_of_something_else(wrong: str) -> None:
    with pytest.raises(ValueError, match="format must be 1, got"):
        Trace.from_json(wrong)


def test_candidates_are_ranked(trace: Trace) -> None:
    assert trace.candidates("bytes")[0].op == "aten::linalg_svd"
    assert trace.candidates("calls")[0].op == "aten::take"
    with pytest.raises(ValueError, match="sort must be one of time, calls, bytes, got 'name'"):
        trace.candidates("name")  # type: ignore[arg-type]


def test_candidates_add_up_over_lines() -> None:
    trace = mpsops.trace()
    other = replace(ROWS[3], line=99, place="fallback", bytes_copied=8)
    trace._recorded = [ROWS[3], other], 0.0, 1.0
    (one,) = trace.candidates()
    assert (one.calls, one.seconds, one.bytes_copied, one.places) == (10, 0.008, 8, ("cpu", "fallback"))


def test_print(trace: Trace) -> None:
    shown = str(trace)
    assert shown.startswith("113 calls of ops on mps took 11.0 ms of 500 ms (host time")
    assert "7 of them ran on the CPU: 7.00 ms, 64 % of the time, 4.1 kB copied." in shown
    (line,) = [line for line in shown.splitlines() if "linalg_svd" in line and "<b|c>" in line]
    assert re.split(r"\s{2,}", line.strip()) == [
        "linalg_svd", "fallback", "project/<b|c>.py:1", "2", "3.00 ms", "1.50 ms", "4.1 kB",
    ]  # fmt: skip
    assert "backward of project/a.py:3" in shown
    assert shown.index("Worth a kernel") < shown.rindex("take")


def test_table_is_limited_and_sorted(trace: Trace) -> None:
    from rich.console import Console

    console = Console(width=110, color_system=None)
    with console.capture() as captured:
        console.print(trace.table("calls", 2))
    table = captured.get().split("copied \n")[1].split("Worth")[0]
    assert [line.split()[0] for line in table.splitlines()[1:3]] == ["add.Tensor", "add.Tensor"]
    assert "5 more rows" in table


def test_markdown(trace: Trace) -> None:
    text = trace.to_markdown()
    assert "| `take` | CPU path | 5 | 4.00 ms |  |" in text
    assert (
        "| `linalg_svd` | torch's CPU fallback | project/<b\\|c>.py:1 | 2 | 3.00 ms | 1.50 ms | 4.1 kB |"
        in text
    )
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        columns = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(columns) == 1
    assert len(trace.to_markdown(limit=1).splitlines()) == len(text.splitlines()) - len(ROWS) + 1


def test_nothing_recorded() -> None:
    with mpsops.trace() as trace:
        pass
    assert str(trace).startswith("0 calls of ops on mps took")
    assert "Worth a kernel" not in str(trace) + trace.to_markdown() + trace._repr_html_()
    assert Trace.from_json(trace.to_json()).rows == ()
    assert "<svg" not in trace._repr_html_()


@pytest.mark.parametrize(
    ("seconds", "spelled"),
    [(0, "0.00 µs"), (1.234e-6, "1.23 µs"), (0.0123, "12.3 ms"), (0.9, "900 ms"), (1234.5, "1,234 s")],
)
def test_times(seconds: float, spelled: str) -> None:
    assert text.time(seconds) == spelled


@pytest.mark.parametrize(
    ("count", "spelled"),
    [(0, ""), (999, "999 B"), (1000, "1.0 kB"), (123_456_789, "123 MB"), (10**16, "10,000 TB")],
)
def test_sizes(count: int, spelled: str) -> None:
    assert text.size(count) == spelled


def test_treemap_areas_fill_the_box() -> None:
    values = [9.0, 5.0, 3.0, 2.0, 1.0, 0.5]
    outer = Box(10, 20, 300, 100)
    boxes = squarify(values, outer)
    for value, box in zip(values, boxes, strict=True):
        assert box.width * box.height == pytest.approx(value / sum(values) * 30_000)
        assert box.x >= 10 - 1e-9
        assert box.y >= 20 - 1e-9
        assert box.x + box.width <= 310 + 1e-9
        assert box.y + box.height <= 120 + 1e-9
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            wide = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
            high = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
            assert min(wide, high) < 1e-9
    assert squarify([], outer) == []
