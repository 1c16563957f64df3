"""``mpsops ops``."""

import json

import pytest
from typer.testing import CliRunner

import mpsops
from mpsops.cli import app
from mpsops.cli.ops import markdown


def run(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, ["ops", *arguments])
    assert result.exit_code == exit_code, result.output
    return result.stdout


def names(*arguments: str) -> list[str]:
    return [line.split()[0] for line in run(*arguments).splitlines()]


def test_rows() -> None:
    lines = run().splitlines()
    assert [line.split()[:2] for line in lines] == [[row.name, row.state] for row in mpsops.ops()]
    assert lines[0].endswith(mpsops.ops()[0].reason)


def test_json() -> None:
    rows = json.loads(run("--json"))
    assert [(row["name"], row["state"], row["dtypes"]) for row in rows] == [
        (row.name, row.state, list(row.dtypes)) for row in mpsops.ops()
    ]


def test_markdown() -> None:
    assert run("--markdown") == markdown(mpsops.ops()) + "\n"
    assert (
        run("--markdown", "--family", "mode")
        .splitlines()[2]
        .startswith("| `mode` | `mode` | missing | float32")
    )


def test_patterns() -> None:
    assert names("mode") == ["aten::mode", "aten::mode.values"]
    assert names("aten::mode.values", "_pdist_*") == [
        "aten::_pdist_backward",
        "aten::_pdist_forward",
        "aten::mode.values",
    ]


def test_family() -> None:
    assert names("--family", "pdist") == ["aten::_pdist_backward", "aten::_pdist_forward"]


def test_state() -> None:
    with mpsops.patched():
        mpsops.disable("mode")
        assert names("--state", "disabled") == ["aten::mode", "aten::mode.values"]
        assert "aten::mode" not in names("--state", "enabled")


@pytest.mark.parametrize("options", [[], ["--json"], ["--markdown"], ["--verbose"]])
def test_nothing_matches(options: list[str]) -> None:
    result = CliRunner().invoke(app, ["ops", "no_such_op", *options])
    assert (result.exit_code, result.stderr) == (1, "mpsops: no op matches\n")


def test_verbose() -> None:
    (row,) = [row for row in mpsops.ops() if row.name == "aten::mode"]
    header, line = run("-v", "aten::mode").splitlines()[:2]
    assert header.split() == ["op", "state", "kernels", "dtypes", "reason"]
    assert line.split()[:3] == ["aten::mode", "enabled", str(row.max_dispatches)]
    assert line.endswith(f"{' '.join(row.dtypes)}  {row.reason}")


def test_unknown_state() -> None:
    run("--state", "broken", exit_code=2)
