"""``mpsops.trace()``: which ops, how often, where, and from which line."""

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from simulator_process import output
from torch._dynamo.testing import CompileCounterWithBackend
from torch.utils._python_dispatch import TorchDispatchMode

import mpsops
from mpsops import Trace, TraceRow
from mpsops.tracing.rows import PLACES

simulator_only = pytest.mark.skipif(mpsops._C.runtime != "sim", reason="what stock MPS has differs on a Mac")


def random(*size: int, grad: bool = False) -> torch.Tensor:
    return torch.rand(*size, device="mps", requires_grad=grad)


def rows(trace: Trace, op: str) -> list[TraceRow]:
    return [row for row in trace.rows if row.op == f"aten::{op}"]


def row(trace: Trace, op: str) -> TraceRow:
    (found,) = rows(trace, op)
    return found


def calls(trace: Trace) -> dict[str, int]:
    result: dict[str, int] = {}
    for one in trace.rows:
        result[one.op] = result.get(one.op, 0) + one.calls
    return result


def line(offset: int = 0) -> int:
    """The caller's, plus `offset`."""
    return sys._getframe(1).f_lineno + offset


def test_nothing_is_registered_outside_a_trace() -> None:
    """So that an op costs nothing then: torch does not even look for the trace."""
    assert not mpsops._C.trace.registered()
    with mpsops.trace():
        assert mpsops._C.trace.registered()
        with mpsops.trace():
            pass
        assert mpsops._C.trace.registered()
    assert not mpsops._C.trace.registered()


def test_stock_op_and_mpsops_kernel() -> None:
    x = random(4, 5)
    with mpsops.trace() as trace:
        for _ in range(3):
            x.add(1)
        here = line(1)
        torch.mode(x)
    torch.mode(x)
    add, mode = row(trace, "add.Tensor"), row(trace, "mode")
    assert (add.place, add.calls, add.file, add.line) == ("stock", 3, __file__, here - 2)
    assert (mode.place, mode.calls, mode.file, mode.line) == ("mpsops", 1, __file__, here)
    assert mode.source == f"{__file__}:{here}"
    assert add.seconds > 0
    assert add.bytes_copied == mode.bytes_copied == 0


def test_what_is_not_on_mps_is_not_recorded() -> None:
    with mpsops.trace() as trace:
        torch.rand(3).add(1)
        torch.empty(3, device="meta").add(1)
    assert trace.rows == ()


def test_parts_of_an_op_are_the_ops() -> None:
    """`pdist` is composed, `mode` copies its input first: neither is counted twice."""
    x = random(6, 5)
    with mpsops.trace() as trace:
        torch.pdist(x)
        torch.mode(x.t())
    assert calls(trace) == {"aten::_pdist_forward": 1, "aten::mode": 1, "aten::as_strided": 1}
    totals = trace.totals
    assert totals.calls == 3
    assert totals.composed_seconds > 0
    parts = sum(one.seconds for one in trace.rows) + totals.composed_seconds
    assert totals.seconds == pytest.approx(parts)
    assert totals.seconds < totals.wall_seconds
    assert totals.places["mpsops"].calls == 2
    assert list(totals.places) == list(PLACES)


# Of torch itself: without mpsops' CPU path, in builds that have one.
STOCK = {"PYTHONWARNINGS": "ignore", "MPSOPS_CPU_PATH": "0"}


@simulator_only
def test_fallback_and_missing_op() -> None:
    program = """
        install()
        x = torch.eye(3, device="mps")
        with mpsops.trace() as trace:
            try:
                torch.ormqr(x, torch.zeros(3, device="mps"), x)
            except NotImplementedError:
                pass
            torch.linalg.svd(x)
        for row in trace.rows:
            if row.op in {"aten::ormqr", "aten::linalg_svd"}:
                print(row.op, row.place, row.calls, row.bytes_copied, row.source)
        print(*[(one.op, one.places, one.bytes_copied) for one in trace.candidates("bytes")])
    """
    # ormqr: three inputs of 9, 3 and 9 floats, one result of 9. svd: 9 floats, and 9 + 3 + 9.
    with_fallback = output(program, PYTORCH_ENABLE_MPS_FALLBACK="1", **STOCK).splitlines()
    assert sorted(with_fallback[:2]) == [
        "aten::linalg_svd fallback 1 120 <string>:12",
        "aten::ormqr fallback 1 120 <string>:9",
    ]
    without = output(program, **STOCK).splitlines()
    assert sorted(without[:2]) == [
        "aten::linalg_svd fallback 1 120 <string>:12",
        "aten::ormqr missing 1 0 <string>:9",
    ]
    assert without[2] == "('aten::linalg_svd', ('fallback',), 120) ('aten::ormqr', ('missing',), 0)"


@simulator_only
def test_factory_that_falls_back() -> None:
    """There is no tensor that it could copy to the CPU first."""
    program = """
        install()
        with mpsops.trace() as trace:
            torch.ops.aten._make_dep_token(device="mps")
        print(*[(row.op, row.place) for row in trace.rows if row.op == "aten::_make_dep_token"])
    """
    text = output(program, PYTORCH_ENABLE_MPS_FALLBACK="1", **STOCK)
    assert text == "('aten::_make_dep_token', 'fallback')"


@pytest.fixture
def cpu_path_op() -> Callable[[torch.Tensor], torch.Tensor]:
    library = torch.library.Library("mpsops_trace_test", "FRAGMENT")
    library.define("twice(Tensor x) -> Tensor")

    # In memory of NumPy's, which has to be copied.
    library.impl("twice", lambda x: torch.from_numpy(2 * x.numpy()), "CPU")
    mpsops.enable()
    yield torch.ops.mpsops_trace_test.twice
    library._destroy()


@pytest.mark.filterwarnings("ignore:mpsops. mpsops_trace_test")
def test_cpu_path(cpu_path_op: Callable[[torch.Tensor], torch.Tensor]) -> None:
    x = random(3)
    with mpsops.trace() as trace:
        for _ in range(2):
            cpu_path_op(x)
    (one,) = trace.rows
    assert (one.op, one.place, one.calls, one.bytes_copied) == ("mpsops_trace_test::twice", "cpu", 2, 24)
    (candidate,) = trace.candidates()
    assert (candidate.op, candidate.places, candidate.calls) == (one.op, ("cpu",), 2)
    assert candidate.bytes_copied == trace.totals.bytes_copied == 24


def test_backward_carries_the_line_of_the_forward() -> None:
    x = random(6, 5, grad=True)
    with mpsops.trace() as trace:
        here = line(1)
        distances = torch.pdist(x)
        distances.sum().backward()
    backward = row(trace, "_pdist_backward")
    assert (backward.place, backward.backward, backward.line) == ("mpsops", True, here)
    assert backward.source == f"backward of {__file__}:{here}"
    assert not row(trace, "_pdist_forward").backward


def test_backward_of_what_came_before() -> None:
    x = random(6, 5, grad=True)
    loss = torch.pdist(x).sum()
    with mpsops.trace() as trace:
        loss.backward()
    assert row(trace, "_pdist_backward").source == "backward"


def test_gradients_that_are_added_up() -> None:
    """Autograd's thread does it between nodes."""
    x = random(3, grad=True)
    y = x.sinh()
    with mpsops.trace() as trace:
        here = line(1)
        (y.exp() + y.sinh()).sum().backward()
    assert {one.source for one in rows(trace, "add_.Tensor")} == {"backward"}
    assert {one.line for one in rows(trace, "cosh")} == {0, here}


def test_autograd_function_has_lines_of_its_own() -> None:
    class Scale(torch.autograd.Function):
        here = line(8)

        @staticmethod
        def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
            return x.exp()

        @staticmethod
        def backward(ctx: object, grad: torch.Tensor) -> torch.Tensor:
            return grad.sinh()

    x = random(3, grad=True)
    with mpsops.trace() as trace:
        Scale.apply(x).sum().backward()
    assert row(trace, "sinh").source == f"{__file__}:{Scale.here}"
    assert row(trace, "exp").line == Scale.here - 4


def test_second_derivative() -> None:
    x = random(3, grad=True)
    with mpsops.trace() as trace:
        here = line(1)
        y = x.sinh()
        (first,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        first.sum().backward()
    assert {(one.op, one.backward, one.line) for one in trace.rows if "sinh" in one.op} == {
        ("aten::sinh", False, here),
        ("aten::sinh", True, here),
    }


def test_modules_are_seen_from_the_program() -> None:
    """`relu` is called by a file of torch; the line is the program's."""
    model = torch.nn.Sequential(torch.nn.Identity(), torch.nn.ReLU())
    x = random(3)
    with mpsops.trace() as trace:
        model(x)
    assert row(trace, "relu").source == f"{__file__}:{line(-1)}"


def test_threads() -> None:
    x = random(4, 5)
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        for _ in range(50):
            torch.mode(x)

    with mpsops.trace() as trace:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert row(trace, "mode").calls == 200
    assert row(trace, "mode").file == __file__


def step(x: torch.Tensor) -> torch.Tensor:
    pooled = torch.nn.functional.adaptive_avg_pool2d(x, 3)
    return torch.mode(pooled.flatten(1))[0].sum() * 2


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled(backend: str) -> None:
    """Once, without a break in the graph; what is traced for the compiler is not counted."""
    torch._dynamo.reset()
    counter = CompileCounterWithBackend(backend)
    compiled = torch.compile(step, backend=counter, fullgraph=True)
    x = random(2, 3, 8, 8, grad=True)
    with mpsops.trace() as first:
        compiled(x).backward()
    with mpsops.trace() as trace:
        compiled(x).backward()
    compiled(x)
    assert counter.frame_count == 1
    for one in (first, trace):
        for op in ("_adaptive_avg_pool2d", "mode", "_adaptive_avg_pool2d_backward"):
            assert (row(one, op).calls, row(one, op).place) == (1, "mpsops"), op
            assert row(one, op).file == __file__
    assert row(trace, "_adaptive_avg_pool2d_backward").backward
    assert not row(trace, "mode").backward


def test_trace_in_a_compiled_function() -> None:
    """Dynamo gives up such a function, as for any context manager that it does not know; all goes on."""
    torch._dynamo.reset()

    @torch.compile(backend="eager")
    def function(x: torch.Tensor) -> tuple[torch.Tensor, Trace]:
        with mpsops.trace() as trace:
            y = x.sin() + 1
        return y, trace

    x = random(3)
    y, trace = function(x)
    assert calls(trace) == {"aten::sin": 1, "aten::add.Tensor": 1}
    torch.testing.assert_close(y.cpu(), x.cpu().sin() + 1)


def test_wrapped_tensors_are_counted_once() -> None:
    class Through(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            return func(*args, **(kwargs or {}))

    x = random(4, 5)
    with mpsops.trace() as mode, Through():
        torch.mode(x)
    with mpsops.trace() as vmap:
        torch.vmap(lambda a: torch.mode(a)[0])(x)
    with mpsops.trace() as gradient:
        torch.func.grad(lambda a: torch.pdist(a).sum())(x)
    assert calls(mode) == {"aten::mode": 1}
    assert calls(vmap)["aten::mode"] == 1
    assert row(vmap, "mode").place == "mpsops"
    assert row(gradient, "_pdist_forward").calls == row(gradient, "_pdist_backward").calls == 1
    assert row(gradient, "_pdist_backward").backward


def test_nested_traces() -> None:
    x = random(3)
    with mpsops.trace() as outer:
        x.sin()
        with mpsops.trace() as inner:
            x.cos()
        x.sin()
        assert calls(outer) == {"aten::sin": 2, "aten::cos": 1}
    x.sin()
    assert calls(inner) == {"aten::cos": 1}
    assert calls(outer) == {"aten::sin": 2, "aten::cos": 1}


def test_overlapping_traces() -> None:
    x = random(3)
    first, second = mpsops.trace(), mpsops.trace()
    with first:
        x.sin()
        second.__enter__()
        x.sin()
    x.cos()
    second.__exit__(None, None, None)
    assert calls(first) == {"aten::sin": 2}
    assert calls(second) == {"aten::sin": 1, "aten::cos": 1}


def test_a_trace_is_entered_once() -> None:
    trace = mpsops.trace()
    with trace, pytest.raises(RuntimeError, match="must be entered once, got a second time"), trace:
        pass
    with pytest.raises(RuntimeError, match="entered once"), trace:
        pass
    assert not mpsops._C.trace.registered()


def test_exception_inside() -> None:
    x = random(4)
    trace = mpsops.trace()

    def work() -> None:
        with trace:
            x.add(1)
            x.mul(torch.ones(3, device="mps"))

    with pytest.raises(RuntimeError, match="ust match the size"):
        work()
    assert not mpsops._C.trace.registered()
    assert row(trace, "add.Tensor").place == "stock"
    assert row(trace, "mul.Tensor").place == "raised"
    with mpsops.trace() as after:
        x.mul(2)
    assert row(after, "mul.Tensor").place == "stock"


def test_synchronize() -> None:
    x = random(6, 5, grad=True)
    with mpsops.trace(synchronize=True) as trace:
        torch.pdist(x).sum().backward()
    assert row(trace, "_pdist_forward").calls == 1
    assert trace.synchronize
    assert json.loads(trace.to_json())["synchronize"] is True
    assert "the device was waited for" in str(trace)
    with mpsops.trace() as plain:
        x.add(1)
    assert "host time" in str(plain)


@simulator_only
@pytest.mark.parametrize("synchronize", [True, False])
def test_synchronize_waits_for_the_device(synchronize: bool) -> None:
    """What the device has to report by then comes out at the end of the trace, or else later."""
    program = f"""
        import ctypes
        install()
        x, y = torch.ones(4, device="mps"), torch.ones(4, device="mps")
        ctypes.c_float.from_address(mpsops.simulator.host_address(x) + 16).value = 1.0
        del x
        trace = mpsops.trace(synchronize={synchronize})
        try:
            with trace:
                y.sin()
                y.cos()
        except RuntimeError as error:
            print(str(error).splitlines()[0][:40])
        print(sum(row.calls for row in trace.rows), mpsops._C.trace.registered())
        try:
            torch.mps.synchronize()
        except RuntimeError:
            print("later")
    """
    error = "mpsops.simulator: out-of-bounds write: b"
    assert output(program).splitlines() == ([error, "2 False"] if synchronize else ["2 False", "later"])


def test_files_of_the_tree_are_passed_over() -> None:
    """But the demo, which is a program like any other."""
    from mpsops.tracing.recorder import _skipped

    rules = dict(_skipped())
    package = Path(mpsops.__file__).parent
    assert rules[f"{package}/"]
    assert not rules[f"{package / 'demo'}/"]
