"""enable(), disable(), patched() and ops(): what is registered when, and that torch comes back."""

import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest
import torch

import mpsops
from mpsops import _patching

MISSING = "aten::mode"
PARTIAL = "aten::_adaptive_avg_pool2d"


def row(name: str) -> mpsops.OpRow:
    return next(row for row in mpsops.ops() if row.name == name)


def dispatch_table(name: str) -> str:
    return torch._C._dispatch_dump_table(name)


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    yield
    mpsops.enable()


def test_defaults_are_missing_and_partial() -> None:
    for op in mpsops.ops():
        assert op.state in {"enabled", "native", "absent"} or op.policy == "faster", op
    assert row(MISSING).policy == "missing"
    assert row(PARTIAL).policy == "partial"


def test_disable_restores_torch_exactly() -> None:
    mpsops.disable()
    stock = {op.name: dispatch_table(op.name) for op in mpsops.ops()}
    mpsops.enable()
    assert dispatch_table(MISSING) != stock[MISSING]
    assert dispatch_table(PARTIAL) != stock[PARTIAL]
    mpsops.disable()
    assert {op.name: dispatch_table(op.name) for op in mpsops.ops()} == stock


def test_disabled_fails_as_stock_torch() -> None:
    x = torch.ones(3, 5, device="mps")
    mpsops.disable()
    with pytest.raises(
        NotImplementedError, match="'aten::mode' is not currently implemented for the MPS device"
    ):
        x.mode()
    with pytest.raises(RuntimeError, match="input sizes must be divisible by output sizes"):
        torch.nn.functional.adaptive_avg_pool2d(torch.ones(1, 5, 5, device="mps"), 3)
    mpsops.enable()
    assert torch.equal(x.mode().values.cpu(), torch.ones(3))
    assert torch.nn.functional.adaptive_avg_pool2d(torch.ones(1, 5, 5, device="mps"), 3).shape == (1, 3, 3)


def test_names_select_overloads_ops_and_families() -> None:
    mpsops.disable()
    mpsops.enable("aten::_adaptive_avg_pool2d")
    assert [op.name for op in mpsops.ops() if op.state == "enabled"] == [PARTIAL]
    mpsops.enable("mode")
    assert row(MISSING).state == "enabled"
    family = row(PARTIAL).family
    mpsops.enable(family)
    assert all(op.state in {"enabled", "native"} for op in mpsops.ops() if op.family == family)
    mpsops.disable(family)
    assert [op.name for op in mpsops.ops() if op.state == "enabled"] == [
        op.name for op in mpsops.ops() if op.name.removeprefix("aten::").split(".")[0] == "mode"
    ]


def test_unknown_name_changes_nothing() -> None:
    mpsops.disable()
    with pytest.raises(ValueError, match="mpsops has no op or family 'mood'"):
        mpsops.enable("mode", "mood")
    assert row(MISSING).state == "disabled"


def test_patched_restores_what_was() -> None:
    mpsops.disable()
    mpsops.enable("mode")
    with mpsops.patched(PARTIAL):
        assert row(PARTIAL).state == "enabled"
        assert row(MISSING).state == "enabled"
    assert row(PARTIAL).state == "disabled"
    assert row(MISSING).state == "enabled"
    with pytest.raises(KeyError), mpsops.patched():
        raise KeyError
    assert row(PARTIAL).state == "disabled"


def test_enabling_twice_is_the_same_as_once() -> None:
    table = dispatch_table(MISSING)
    mpsops.enable()
    assert dispatch_table(MISSING) == table
    mpsops.disable()
    mpsops.disable()
    assert row(MISSING).state == "disabled"


def test_a_kernel_of_torch_wins_over_a_missing_op() -> None:
    """A newer torch that gained the op keeps its own kernel."""
    mpsops.disable()
    library = torch.library.Library("aten", "IMPL")
    try:
        library.impl("mode", lambda self, dim=-1, keepdim=False: (self.sum(), self.sum()), "MPS")
        mpsops.enable()
        assert row(MISSING).state == "native"
        assert "its own MPS kernel" in row(MISSING).reason
    finally:
        library._destroy()
        mpsops.disable()
    assert row(MISSING).state == "disabled"


def test_overriding_is_silent_for_ours_only() -> None:
    mpsops.disable()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mpsops.enable()


class FasterOp:
    """As mpsops._C.Op, for a policy that no op has yet."""

    name, family, policy, reason = "aten::sort", "sort", "faster", "measured faster on large rows"
    dtypes, opinfo, max_dispatches, calls, dispatches = ("float32",), ("sort",), 1, 0, 0
    exists, native, enabled, passes_on, limits = True, True, False, False, None

    def enable(self) -> None:
        self.enabled = True

    def disable(self) -> None:
        self.enabled = False


def test_faster_is_opt_in(monkeypatch: pytest.MonkeyPatch) -> None:
    op = FasterOp()
    monkeypatch.setattr(_patching._C, "ops", lambda: [op])
    mpsops.enable()
    assert (row("aten::sort").state, row("aten::sort").reason) == (
        "disabled",
        "opt-in: mpsops.enable() by name",
    )
    mpsops.enable("sort")
    assert (row("aten::sort").state, row("aten::sort").reason) == ("enabled", op.reason)
    mpsops.disable()
    assert row("aten::sort").state == "disabled"


def test_counts() -> None:
    mpsops.reset_counts()
    torch.ones(3, 5, device="mps").mode()
    assert row(MISSING).calls == 1
    assert 1 <= row(MISSING).dispatches <= row(MISSING).max_dispatches
    mpsops.reset_counts()
    assert row(MISSING).calls == 0


def test_works_from_other_threads() -> None:
    results = []

    def work() -> None:
        x = torch.rand(8, 4, device="mps", requires_grad=True)
        torch.pdist(x).sum().backward()
        results.append(x.grad is not None)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_import_patches_and_prints_nothing() -> None:
    code = "import mpsops, torch; assert torch.ones(3, device='mps').mode().values.item() == 1"
    result = run(code, MPSOPS_SIMULATOR="1")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_autopatch_off() -> None:
    code = "import mpsops; assert not any(op.state == 'enabled' for op in mpsops.ops())"
    result = run(code, MPSOPS_SIMULATOR="1", MPSOPS_AUTOPATCH="0")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac has an MPS device")
def test_without_a_device() -> None:
    """On Linux without the simulator, importing is harmless and enabling says what to do."""
    code = """
import mpsops
assert {op.state for op in mpsops.ops()} <= {"disabled", "absent"}
try:
    mpsops.enable()
except RuntimeError as error:
    assert "mpsops.simulator.install()" in str(error)
else:
    raise SystemExit("enable() did not raise")
"""
    result = run(code, MPSOPS_SIMULATOR="0")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
