"""``mpsops.enable("tuned")``: which calls go where, and what it says."""

import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tuning_support import op_of

import mpsops
from mpsops._tuning import setup, store
from mpsops._tuning.measurement import Measurement, Verdict

POOL = "aten::_adaptive_avg_pool2d"
BACKWARD = "aten::_adaptive_avg_pool2d_backward"
RENORM = "aten::embedding_renorm_"
MAX_POOL = "aten::adaptive_max_pool2d"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MPSOPS_CACHE_DIR", str(tmp_path))
    mpsops.reset_counts()
    yield
    mpsops.disable()
    mpsops.enable()


def row(name: str) -> mpsops.OpRow:
    return next(row for row in mpsops.ops() if row.name == name)


def at(op: str, elements: int, verdict: Verdict = "faster", dtype: str = "float32") -> Measurement:
    return Measurement(op, dtype, str(elements), elements, verdict, "off by 1" if verdict == "wrong" else "")


def tuned(*measurements: Measurement) -> None:
    store.save(store.Tuning(setup.this_setup()).with_(measurements))
    mpsops.enable("tuned")


def pool(elements: int, dtype: torch.dtype = torch.float32, out: int = 2) -> torch.Tensor:
    return F.adaptive_avg_pool2d(torch.ones(1, elements // 16, 4, 4, dtype=dtype, device="mps"), out)


def test_calls_between_sizes_that_were_won_are_ours() -> None:
    tuned(at(POOL, 64), at(POOL, 256), at(POOL, 1024, "slower"), at(POOL, 64, dtype="bfloat16"))
    assert (row(POOL).state, row(POOL).limits) == (
        "enabled",
        (("bfloat16", 64, 64), ("float32", 64, 256)),
    )
    assert row(POOL).reason == (
        "tuned: mpsops' kernel for bfloat16 of 64 elements, float32 of 64 to 256 elements, "
        "torch's for the rest; what that refuses is mpsops'"
    )
    calls = []
    for elements, dtype in (
        (48, torch.float32),
        (64, torch.float32),
        (128, torch.float32),
        (256, torch.float32),
        (272, torch.float32),
        (1024, torch.float32),
        (64, torch.float16),
        (64, torch.bfloat16),
        (80, torch.bfloat16),
    ):
        before = row(POOL).calls
        assert torch.equal(pool(elements, dtype).cpu(), torch.ones(1, elements // 16, 2, 2, dtype=dtype))
        calls.append(row(POOL).calls - before)
    assert calls == [0, 1, 1, 1, 0, 0, 0, 1, 0]


def test_what_torch_refuses_is_ours() -> None:
    """Where mpsops' kernel was slower, and where nothing was measured."""
    tuned(at(POOL, 64, "slower"))
    assert row(POOL).limits == ()
    assert row(POOL).reason == "tuned: torch's kernel, mpsops' is not faster; what that refuses is mpsops'"
    pool(64)
    assert row(POOL).calls == 0
    assert torch.equal(pool(64, out=3).cpu(), torch.ones(1, 4, 3, 3))
    assert row(POOL).calls == 1
    mpsops.disable("adaptive_avg_pool")
    with pytest.raises(RuntimeError, match="input sizes must be divisible by output sizes"):
        pool(64, out=3)


def test_errors_of_arguments_are_those_of_the_op() -> None:
    def message() -> str:
        with pytest.raises(RuntimeError) as raised:
            torch.ops.aten._adaptive_avg_pool2d(torch.ones(4, device="mps"), [2, 2])
        return str(raised.value)

    expected = message()
    tuned(at(POOL, 64, "slower"))
    assert message() == expected


def test_no_memory_is_no_refusal() -> None:
    tuned(at(POOL, 1 << 20, "slower"))
    x = torch.ones(1, 1 << 16, 4, 4, device="mps")
    torch.mps.set_per_process_memory_fraction(1e-6)
    try:
        with pytest.raises(torch.OutOfMemoryError):
            F.adaptive_avg_pool2d(x, 2)
    finally:
        torch.mps.set_per_process_memory_fraction(1.7)
    assert row(POOL).calls == 0


def test_wrong_kernels_are_off() -> None:
    tuned(at(POOL, 64), at(POOL, 256, "wrong"))
    assert (row(POOL).state, row(POOL).limits) == ("disabled", None)
    assert row(POOL).reason == "tuned: mpsops' kernel is wrong here (float32, 256: off by 1)"
    pool(64)
    assert row(POOL).calls == 0
    with pytest.raises(RuntimeError, match="input sizes must be divisible by output sizes"):
        pool(64, out=3)


# What torch's kernel of it does.
@pytest.mark.filterwarnings("ignore:The operator:UserWarning")
def test_out_and_in_place() -> None:
    tuned(at(RENORM, 32), at("aten::adaptive_avg_pool2d.out", 64))
    for rows, ours in ((8, 1), (4, 0)):
        mpsops.reset_counts()
        table = torch.full((rows, 4), 2.0, device="mps")
        result = torch.embedding_renorm_(table, torch.tensor([0, 2], device="mps"), 1.0, 2.0)
        assert result is table
        assert table.cpu()[:3].norm(dim=1).tolist() == pytest.approx([1.0, 4.0, 1.0], abs=1e-4)
        assert row(RENORM).calls == ours
    for channels, ours in ((4, 1), (5, 0)):
        mpsops.reset_counts()
        out = torch.empty(1, channels, 2, 2, device="mps")
        x = torch.ones(1, channels, 4, 4, device="mps")
        assert torch.ops.aten.adaptive_avg_pool2d.out(x, [2, 2], out=out) is out
        assert torch.equal(out.cpu(), torch.ones(1, channels, 2, 2))
        assert row("aten::adaptive_avg_pool2d.out").calls == ours


def test_ops_that_are_not_contested_are_on() -> None:
    mpsops.disable()
    tuned()
    for op in mpsops.ops():
        if op.policy == "missing" or op.passes_on:
            assert op.state in {"enabled", "native", "absent"}, op
            assert op.limits is None
    torch.ones(3, device="mps").mode()
    assert row("aten::mode").calls == 1


def test_ops_in_which_torch_errs_are_ours() -> None:
    """Not even a measurement in a file leaves them to torch."""
    tuned(at(MAX_POOL, 64, "slower"))
    assert (row(MAX_POOL).state, row(MAX_POOL).limits) == ("enabled", None)
    F.adaptive_max_pool2d(torch.ones(1, 4, 4, 4, device="mps"), 2)
    assert row(MAX_POOL).calls == 1
    with pytest.raises(RuntimeError, match="must be an op whose calls can be left to torch's kernel"):
        op_of(MAX_POOL).enable([("float32", 1, 2)])
    assert row(MAX_POOL).state == "enabled"


def test_the_backward_pass_and_threads() -> None:
    tuned(at(POOL, 64), at(BACKWARD, 64), at(BACKWARD, 128))
    failures = []

    def work(channels: int) -> None:
        for _ in range(5):
            x = torch.ones(1, channels, 4, 4, device="mps", requires_grad=True)
            F.adaptive_avg_pool2d(x, 2).sum().backward()
            assert x.grad is not None
            if not torch.equal(x.grad.cpu(), torch.full((1, channels, 4, 4), 0.25)):
                failures.append(channels)

    threads = [threading.Thread(target=work, args=(channels,)) for channels in (4, 8, 16, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert (row(POOL).calls, row(BACKWARD).calls) == (10, 15)


def test_traces_tell_which_kernel_ran() -> None:
    tuned(at(POOL, 64))
    with mpsops.trace() as recorded:
        pool(64)
    assert {each.place for each in recorded.rows if each.op == POOL} == {"mpsops"}
    with mpsops.trace() as recorded:
        pool(128)
    assert {each.place for each in recorded.rows if each.op == POOL} == {"stock"}


def test_later_calls_change_it() -> None:
    tuned(at(POOL, 64), at(RENORM, 1, "slower"))
    with mpsops.patched("adaptive_avg_pool"):
        assert row(POOL).limits is None
        assert "tuned" not in row(POOL).reason
    assert row(POOL).limits == (("float32", 64, 64),)
    assert row(POOL).reason.startswith("tuned: ")
    mpsops.disable("adaptive_avg_pool")
    assert (row(POOL).state, row(POOL).reason) == ("disabled", "not enabled")
    mpsops.enable()
    assert row(POOL).limits is None
    assert row(RENORM).limits is None
    with mpsops.patched("tuned"):
        assert row(POOL).limits == (("float32", 64, 64),)
    assert row(POOL).limits is None
    pool(128)
    assert row(POOL).calls == 1


def test_the_dispatcher_is_as_before() -> None:
    mpsops.disable()
    table = torch._C._dispatch_dump_table(POOL)
    tuned(at(POOL, 64))
    assert torch._C._dispatch_dump_table(POOL) != table
    tuned(at(POOL, 64, "slower"))
    mpsops.disable()
    assert torch._C._dispatch_dump_table(POOL) == table


def test_tuned_stands_alone() -> None:
    with pytest.raises(ValueError, match=r"mpsops.enable: 'tuned' must be alone, got 'mode', 'tuned'"):
        mpsops.enable("mode", "tuned")


def test_limits_of_a_dtype_that_the_op_has_not() -> None:
    with pytest.raises(
        ValueError, match="dtype must be one that aten::_adaptive_avg_pool2d takes, got int64"
    ):
        op_of(POOL).enable([("int64", 1, 2)])


def test_the_cpu_path_is_as_without_names() -> None:
    mpsops.enable(cpu_path=False)
    tuned()
    assert mpsops._C.cpu_path_enabled()


def texts(caught: Sequence[warnings.WarningMessage]) -> list[str]:
    return [str(each.message) for each in caught]


def test_without_measurements_it_warns_and_nothing_is_faster() -> None:
    with pytest.warns(RuntimeWarning) as caught:
        mpsops.enable("tuned")
    assert texts(caught) == [
        "mpsops: 'tuned': nothing was measured on this machine yet: run `mpsops tune`. "
        "Until then, no kernel counts as faster than torch's"
    ]
    assert caught[0].filename == __file__
    assert row(POOL).reason == "tuned: torch's kernel, nothing was measured; what that refuses is mpsops'"
    pool(64)
    assert row(POOL).calls == 0
    pool(64, out=3)
    torch.ones(3, device="mps").mode()
    assert (row(POOL).calls, row("aten::mode").calls) == (1, 1)


def test_damaged_measurements_warn() -> None:
    tuned(at(POOL, 64))
    path = store.path_of(setup.this_setup())
    path.write_text(path.read_text()[:-20])
    with pytest.warns(
        RuntimeWarning, match=r"cannot be used \(.*\): run `mpsops tune` again\. Until"
    ) as caught:
        mpsops.enable("tuned")
    assert len(caught) == 1
    assert row(POOL).limits == ()


PROGRAM = """
import torch, mpsops, mpsops.simulator
mpsops.simulator.install()
torch.nn.functional.adaptive_avg_pool2d(torch.ones(1, 4, 4, 4, device="mps"), 2)
print({row.name: row.calls for row in mpsops.ops()}["aten::_adaptive_avg_pool2d"])
"""


def run(**environment: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "MPSOPS_AUTOPATCH": "tuned", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, done.stderr


@pytest.mark.skipif(mpsops._C.runtime != "sim", reason="makes a simulated device")
def test_by_the_environment(tmp_path: Path) -> None:
    tuned(at(POOL, 64))
    assert run() == ("1\n", "")
    output, errors = run(MPSOPS_CACHE_DIR=str(tmp_path / "empty"))
    assert output == "0\n"
    assert errors.count("nothing was measured on this machine yet") == 1
