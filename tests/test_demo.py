"""`python -m mpsops.demo` as a user runs it, on what it prints and how it ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# All in one process of pytest-xdist: the fixture runs once.
pytestmark = pytest.mark.xdist_group("demo")


def run_demo(*arguments: str) -> "subprocess.CompletedProcess[str]":
    # What a user has: no access checks, and every setting of this test run gone.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MPSOPS_")}
    return subprocess.run(
        [sys.executable, "-m", "mpsops.demo", *arguments],
        env={**environment, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "demo.svg"


@pytest.fixture(scope="module")
def demo(picture: Path) -> "subprocess.CompletedProcess[str]":
    return run_demo("--epochs", "8", "--svg", str(picture))


def test_succeeds(demo: "subprocess.CompletedProcess[str]") -> None:
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "FAILED" not in demo.stdout
    assert demo.stderr == ""


def test_stock_torch_fails_first(demo: "subprocess.CompletedProcess[str]") -> None:
    before, after = demo.stdout.split("import mpsops, and the same program trains")
    assert "program.py:" in before
    assert "Error: Adaptive pool MPS: output sizes must be divisible by input sizes" in before
    assert "Error: Adaptive pool MPS: output sizes must be divisible by input sizes" in after
    assert "Error: Adaptive pool MPS: input sizes must be divisible by output sizes" in after
    assert after.count("NotImplementedError") >= 8
    assert "runs this call" not in after


@pytest.mark.parametrize(
    "op",
    [
        "_adaptive_avg_pool2d",
        "_adaptive_avg_pool2d_backward",
        "_pdist_forward",
        "_pdist_backward",
        "_segment_reduce_backward",
        "mode",
        "multi_margin_loss",
        "multi_margin_loss_backward",
        "rrelu_with_noise",
        "segment_reduce",
    ],
)
def test_each_op_was_called_on_the_device(demo: "subprocess.CompletedProcess[str]", op: str) -> None:
    table = demo.stdout.split("The ops that made the difference")[1]
    (row,) = [line for line in table.splitlines() if line.startswith(f"│ {op} ")]
    calls, dispatches = (int(cell.strip().replace(",", "")) for cell in row.strip("│ ").split("│")[-2:])
    assert calls > 0
    assert dispatches > 0


def test_readable_without_a_terminal(demo: "subprocess.CompletedProcess[str]") -> None:
    assert "\x1b" not in demo.stdout
    assert demo.stdout.count("training on mps: step") == 5


def test_picture(demo: "subprocess.CompletedProcess[str]", picture: Path) -> None:
    assert picture.read_text().startswith("<svg")


def test_fails_when_the_network_has_not_learned() -> None:
    demo = run_demo("--epochs", "1")
    assert demo.returncode == 1
    assert "FAILED" in demo.stdout
