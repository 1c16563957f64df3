"""``mpsops tune``: what is measured, what is made of it, what is kept. The times are a test's own."""

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tuning_support import FakeMachine, always, op_of

import mpsops
from mpsops._harness import timing
from mpsops._harness.cases import Case
from mpsops._tuning import contest, decision, setup, store
from mpsops._tuning.measurement import Measurement, verdict_on_times
from mpsops._tuning.run import run

POOL = "aten::_adaptive_avg_pool2d"
FEW = timing.Plan(rounds=3, latencies=1, block=0.01)


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MPSOPS_CACHE_DIR", str(tmp_path))
    yield
    mpsops.enable()


def case_of(name: str = POOL, size: str = "tiny", dtype: str = "float32") -> Case:
    return Case(name, op_of(name).family, size, dtype)


def measured(machine: FakeMachine, case: Case | None = None, plan: timing.Plan = FEW) -> Measurement:
    with machine:
        return contest.measure(case or case_of(), machine, plan)


def test_candidates_are_what_both_have() -> None:
    names = {op.name for op in contest.candidates()}
    for row in mpsops.ops():
        assert (row.name in names) == (
            row.policy != "missing" and not row.passes_on and not op_of(row.name).torch_errs
        ), row
    assert POOL in names


def test_every_candidate_can_be_measured() -> None:
    """In each dtype: there is a call that torch takes too, and mpsops' result is right."""
    for case in contest.cases(contest.candidates(), sizes=["tiny"]):
        found = measured(FakeMachine(), case, timing.Plan(rounds=1, block=0.01))
        assert (found.verdict, found.note) == ("undecided", "too slow to be measured often enough"), found
        assert found.ours == (10_000, 10_000, 10_000), found


def test_cases_are_ordered_by_what_matters() -> None:
    pool, renorm = op_of(POOL), op_of("aten::embedding_renorm_")
    found = contest.cases([pool, renorm], sizes=["tiny", "large"])
    assert [case.size for case in found[:2]] == ["tiny", "large"]
    assert [(case.name, case.dtype) for case in found[:8:2]] == [
        (POOL, "float32"),
        ("aten::embedding_renorm_", "float32"),
        (POOL, "float16"),
        ("aten::embedding_renorm_", "float16"),
    ]
    assert {case.dtype for case in contest.cases([pool], dtypes=["bfloat16"])} == {"bfloat16"}


def noisy(name: str, dtype: str, elements: int, is_ours: bool, count: int) -> float:
    """Rounds have an odd number of calls, so that both are fast and slow by turns, ours more so."""
    return (1e-2, 2e-2)[count % 2] if is_ours else (1.5e-2, 2.5e-2)[count % 2]


@pytest.mark.parametrize(
    ("times", "verdict"),
    [
        (always(1e-2, 2e-2), "faster"),
        (always(2e-2, 1e-2), "slower"),
        (always(1e-2, 1e-2), "undecided"),
        (noisy, "undecided"),
    ],
)
def test_verdict_on_times(times: Any, verdict: str) -> None:
    found = measured(FakeMachine(times), plan=timing.Plan(rounds=7, latencies=1, block=0.01))
    assert (found.verdict, found.note) == (verdict, "")
    assert (found.op, found.dtype, found.size, found.elements) == (POOL, "float32", "tiny", 256)


def test_medians_and_quartiles() -> None:
    found = measured(FakeMachine(always(1e-2, 2e-2)))
    assert (found.ours, found.torchs) == ((10_000.0,) * 3, (20_000.0,) * 3)
    assert found.factor == 2.0
    assert verdict_on_times((1, 2, 3), (3, 4, 5)) == "undecided"
    assert verdict_on_times((1, 2, 2.9), (3, 4, 5)) == "faster"
    assert verdict_on_times((3, 4, 5), (1, 2, 2.9)) == "slower"


def spoiled(ours: bool, how: Callable[[Any], None]) -> FakeMachine:
    """With all the speed that mpsops' kernel could have."""
    return FakeMachine(always(1e-6, 1.0), lambda is_ours, out: how(out) if is_ours == ours else None)


def refuse(out: Any) -> None:
    raise RuntimeError("sizes must be divisible\nand more")


@pytest.mark.parametrize(
    ("ours", "how", "verdict", "note"),
    [
        (True, lambda out: out.add_(1e-2), "wrong", "output 0 is off by 0.01"),
        (True, lambda out: out.fill_(float("nan")), "wrong", "output 0 is off by inf"),
        (True, refuse, "failed", "sizes must be divisible"),
        (False, lambda out: out.add_(1e-2), "torch wrong", "output 0 is off by 0.01"),
        (False, refuse, "torch refuses", "sizes must be divisible"),
    ],
)
def test_a_wrong_result_has_no_speed(ours: bool, how: Any, verdict: str, note: str) -> None:
    found = measured(spoiled(ours, how))
    assert (found.verdict, found.note, found.ours, found.torchs) == (verdict, note, None, None)


def test_what_was_there_comes_back() -> None:
    op = op_of(POOL)
    limits = [("float32", 1, 7)]
    op.enable(limits)
    measured(FakeMachine())
    assert (op.enabled, op.limits) == (True, limits)
    op.disable()
    measured(spoiled(True, refuse))
    assert not op.enabled


def test_no_memory_is_no_verdict() -> None:
    def exhaust(out: Any) -> None:
        raise torch.OutOfMemoryError("MPS backend out of memory")

    for ours in (True, False):
        with pytest.raises(contest.NotMeasuredError, match="out of memory"):
            measured(spoiled(ours, exhaust))


def test_no_arguments_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an op without a hook, where PyTorch's samples cannot be imported."""
    monkeypatch.setitem(sys.modules, "torch.testing._internal.common_methods_invocations", None)
    with pytest.raises(contest.NotMeasuredError, match="needs the packages expecttest and hypothesis"):
        contest.measure(Case("aten::heaviside", "heaviside", "tiny", "float32"), FakeMachine())


def at(elements: int, verdict: str = "faster", dtype: str = "float32", op: str = POOL) -> Measurement:
    return Measurement(op, dtype, f"{elements}", elements, verdict)  # type: ignore[arg-type]


def test_limits_are_between_sizes_that_were_won() -> None:
    def limits(*won: bool) -> tuple[Any, ...]:
        verdicts = [at(10**n, "faster" if each else "slower") for n, each in enumerate(won, 1)]
        return tuple(limit[1:] for limit in decision.limits(reversed(verdicts)))

    assert limits(True, True, True) == ((10, 1000),)
    assert limits(False, True, True) == ((100, 1000),)
    assert limits(True, False, True) == ((10, 10), (1000, 1000))
    assert limits(False, False) == ()
    assert decision.limits([at(5), at(5, "undecided"), at(9)]) == (("float32", 9, 9),)
    assert decision.limits([at(5), at(9, dtype="float16"), at(7, "torch wrong")]) == (
        ("float16", 9, 9),
        ("float32", 5, 7),
    )


def registered(**parts: Any) -> Any:
    """As mpsops._C.Op."""
    plain = {"policy": "partial", "exists": True, "native": True, "passes_on": False, "torch_errs": False}
    return SimpleNamespace(**{**plain, "reason": "why", "dtypes": ["float32"], **parts})


@pytest.mark.parametrize(
    ("op", "verdicts", "on", "limits"),
    [
        ({"policy": "missing", "native": False}, [], True, None),
        ({"passes_on": True}, [], True, None),
        ({"torch_errs": True}, [], True, None),
        ({}, [], True, ()),
        ({}, ["faster"], True, (("float32", 1, 1),)),
        ({}, ["slower"], True, ()),
        ({}, ["faster", "wrong"], False, None),
        ({}, ["faster", "failed"], False, None),
        ({}, ["torch refuses"], True, ()),
        ({"policy": "faster"}, [], False, None),
        ({"policy": "faster"}, ["faster"], True, (("float32", 1, 1),)),
        ({"policy": "faster"}, ["slower", "undecided"], False, None),
        ({"policy": "faster"}, ["faster", "wrong"], False, None),
    ],
)
def test_decision(op: dict[str, Any], verdicts: list[str], on: bool, limits: Any) -> None:
    found = decision.decide(registered(**op), [at(n, verdict) for n, verdict in enumerate(verdicts, 1)])
    assert (found.on, found.limits) == (on, limits)


def test_a_dtype_that_the_op_has_not_is_no_limit() -> None:
    found = decision.decide(registered(), [at(1, dtype="int64"), at(1)])
    assert found.limits == (("float32", 1, 1),)


def test_a_run_is_on_disk_case_by_case() -> None:
    here = setup.this_setup()
    machine = FakeMachine()
    seen = []

    def look(done: int, case: Case) -> None:
        seen.append((done, case.dtype, store.path_of(here).exists()))

    cases = [case_of(dtype=dtype) for dtype in ("float32", "float16")]
    with machine:
        outcome = run(cases, machine, 1e9, store.Tuning(here), on_case=look, plan=FEW)
    assert seen == [(0, "float32", False), (1, "float16", True)]
    assert store.load(here) == outcome.tuning
    assert [each.case for each in outcome.new] == [(POOL, "float32", "tiny"), (POOL, "float16", "tiny")]
    assert (outcome.left, outcome.interrupted) == (0, False)


def test_an_interrupt_keeps_what_was_measured() -> None:
    here, op = setup.this_setup(), op_of(POOL)

    def stop(is_ours: bool, out: Any) -> None:
        if out.dtype == torch.float16:
            raise KeyboardInterrupt

    machine = FakeMachine(spoil=stop)
    cases = [case_of(dtype=dtype) for dtype in ("float32", "float16", "bfloat16")]
    op.disable()
    with machine:
        outcome = run(cases, machine, 1e9, store.Tuning(here), plan=FEW)
    assert outcome.interrupted
    assert [each.dtype for each in store.load(here).measurements] == ["float32"]
    assert not op.enabled


def test_the_budget_ends_a_run() -> None:
    machine = FakeMachine(always(1.0, 1.0))
    with machine:
        outcome = run([case_of()] * 3, machine, 3.0, store.Tuning(setup.this_setup()), plan=FEW)
    assert (len(outcome.new), outcome.left) == (1, 2)


def test_what_cannot_be_measured_stops_nothing() -> None:
    machine = FakeMachine()
    with machine:
        outcome = run(
            [case_of(dtype="int64"), case_of()], machine, 1e9, store.Tuning(setup.this_setup()), plan=FEW
        )
    assert [each.split(":")[0] for each in outcome.not_measured] == [
        "_adaptive_avg_pool2d-tiny-int64-contiguous"
    ]
    assert len(outcome.new) == 1


def test_measuring_again_replaces() -> None:
    old = store.Tuning(setup.this_setup(), (at(1), at(2)))
    new = old.with_([at(2, "slower"), at(3)])
    assert [(each.elements, each.verdict) for each in new.measurements] == [
        (1, "faster"),
        (2, "slower"),
        (3, "faster"),
    ]


def full(**parts: Any) -> Measurement:
    return dataclasses.replace(
        at(8), **{"ours": (1.0, 2.0, 3.5), "torchs": (4.0, 5.0, 6.0), "note": "text", **parts}
    )


def test_files_come_back_as_they_were() -> None:
    here = setup.this_setup()
    tuning = store.Tuning(here).with_([full(), at(3, "torch refuses")])
    path = store.save(tuning)
    assert store.load(here) == tuning
    assert path.name == here.file_name
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_the_name_of_a_file() -> None:
    here = setup.Setup("Apple M2 Pro, 19 cores", "macOS 15.1, arm64", "2.13.0", "0.1.0", "1234abcd")
    assert here.file_name == "apple-m2-pro-19-cores-macos-15.1-arm64-torch-2.13.0-mpsops-0.1.0-1234abcd.json"
    newer = dataclasses.replace(here, torch="2.14.0", system="macOS 15.2, arm64")
    assert newer.file_name != here.file_name
    assert here.differences(newer) == (
        "system macOS 15.2, arm64 instead of macOS 15.1, arm64, torch 2.14.0 instead of 2.13.0"
    )


def test_a_file_that_cannot_be_written_leaves_the_old_one() -> None:
    here = setup.this_setup()
    old = store.Tuning(here).with_([full()])
    path = store.save(old)
    with pytest.raises(TypeError, match="not JSON serializable"):
        store.save(old.with_([full(note=object(), size="other")]))
    assert store.load(here) == old
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def changed(*keys: Any, value: Any) -> str:
    content = store.Tuning(setup.this_setup()).with_([full()]).as_json()
    place = content
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    return json.dumps(content)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[]", r"the file: must be an object of measured, measurements, schema, setup, got \[\]"),
        (changed("schema", value=2), "schema: must be 1, got 2"),
        (changed("setup", value={"chip": "M9"}), "setup: must be an object of build, chip, .*, got chip"),
        (changed("setup", "torch", value=2.13), "setup/torch: must be a text, got 2.13"),
        (changed("measured", value=None), "measured: must be a text, got None"),
        (changed("measurements", value={}), "measurements: must be a list, got {}"),
        (changed("measurements", 0, "op", value=1), "measurements/0/op: must be a text, got 1"),
        (
            changed("measurements", 0, "elements", value=-1),
            "measurements/0/elements: must be a count, got -1",
        ),
        (changed("measurements", 0, "elements", value=1 << 63), "0/elements: must be a count, got 9"),
        (changed("measurements", 0, "elements", value=True), "elements: must be a count, got True"),
        (
            changed("measurements", 0, "verdict", value="fast"),
            "verdict: must be one of faster, .*, got 'fast'",
        ),
        (changed("measurements", 0, "verdict", value=[]), "verdict: must be one of faster, .*, got"),
        (changed("measurements", 0, "ours", value=[1, 2]), r"ours: must be three times .*, got \[1, 2\]"),
        (changed("measurements", 0, "torchs", value=[1, 2, "3"]), "torchs: must be three times"),
        (changed("measurements", 0, "more", value=1), "measurements/0: must be an object of"),
    ],
)
def test_damaged_files(text: str, problem: str) -> None:
    here = setup.this_setup()
    path = store.save(store.Tuning(here))
    path.write_text(text)
    with pytest.raises(
        store.UnusableError, match=rf"cannot be used \(.*{problem}.*\): run `mpsops tune` again"
    ):
        store.load(here)


def test_files_of_other_setups() -> None:
    here = setup.this_setup()
    with pytest.raises(
        store.UnusableError, match="nothing was measured on this machine yet: run `mpsops tune`"
    ):
        store.load(here)
    older = dataclasses.replace(here, torch="1.0.0")
    path = store.save(store.Tuning(older))
    with pytest.raises(store.UnusableError, match=r"the last tuning .* torch 1\.0\.0 instead of .* again"):
        store.load(here)
    path.rename(store.path_of(here))
    with pytest.raises(store.UnusableError, match=r"was measured with torch 1\.0\.0 instead of .* again"):
        store.load(here)


def test_a_file_that_cannot_be_read() -> None:
    here = setup.this_setup()
    store.path_of(here).mkdir(parents=True)
    with pytest.raises(store.UnusableError, match=r"cannot be used .*: run `mpsops tune` again"):
        store.load(here)
