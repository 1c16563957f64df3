"""mpsops' kernels against torch's own, by the timing contract of :mod:`mpsops._harness.timing`."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch

from mpsops import _C
from mpsops._harness import calls, correctness, op_calls, timing
from mpsops._harness.cases import Case
from mpsops._harness.clocks import Clock
from mpsops._harness.overloads import Call

from .decision import contested
from .measurement import Measurement, Quartiles, verdict_on_times

SIZES = ("tiny", "medium", "large")
PLAN = timing.Plan(rounds=7, latencies=1, block=0.01)
# Of one contestant: fewer have no quartiles to speak of.
FEWEST_ROUNDS = 3


class NotMeasuredError(Exception):
    """A case that gives no measurement, such as one without arguments; the text says why."""


def candidates() -> "list[_C.Op]":
    """The ops that both can do. Which those are, the registry and the running torch say."""
    return sorted((op for op in _C.ops() if contested(op)), key=lambda op: (op.family, op.name))


def cases(chosen: "Sequence[_C.Op]", dtypes: Sequence[str] = (), sizes: Sequence[str] = SIZES) -> list[Case]:
    """Every op in its first dtype first: time may be short."""
    most = max((len(op.dtypes) for op in chosen), default=0)
    return [
        Case(op.name, op.family, size, op.dtypes[rank])
        for rank in range(most)
        for op in chosen
        if rank < len(op.dtypes) and (not dtypes or op.dtypes[rank] in dtypes)
        for size in sizes
    ]


@contextmanager
def _as_it_was(op: "_C.Op") -> Iterator[None]:
    enabled, limits = op.enabled, op.limits
    try:
        yield
    finally:
        if enabled:
            op.enable(limits)
        else:
            op.disable()


def measure(case: Case, clock: Clock, plan: timing.Plan = PLAN) -> Measurement:
    """Whether ours is right, and then whether it is faster. The op is afterwards as it was.

    Raises NotMeasuredError.
    """
    op = next(op for op in _C.ops() if op.name == case.name)
    with warnings.catch_warnings(), _as_it_was(op):
        warnings.simplefilter("ignore")  # of torch, about ops that it deprecates or runs slowly
        try:
            func, on_cpu = calls.build(case, "cpu", contested=True)
            call = calls.moved(on_cpu, clock.device)
        except (calls.NoCallError, RuntimeError, TypeError) as error:
            raise NotMeasuredError(_first_line(error)) from error
        try:
            with torch.no_grad():
                return _Contest(case, op, func, call, clock).run(plan)
        except torch.OutOfMemoryError as error:
            raise NotMeasuredError(_first_line(error)) from error


class _Contest:
    """One call, by both."""

    def __init__(
        self, case: Case, op: "_C.Op", func: torch._ops.OpOverload, call: Call, clock: Clock
    ) -> None:
        self.case, self.op, self.func, self.call, self.clock = case, op, func, call, clock
        self.judge = correctness.Judge(case.family, func, call)
        elements = max((tensor.numel() for tensor in op_calls.tensors(call)), default=0)
        # By limits, as a program will have it: choosing costs time too.
        self.ours = partial(op.enable, [(case.dtype, 0, elements)])
        self.result = partial(Measurement, case.name, case.dtype, case.size, elements)

    def run(self, plan: timing.Plan) -> Measurement:
        try:
            if problem := self._problem(self.ours, ours=True):
                return self.result("wrong", problem)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, TypeError, IndexError) as error:
            return self.result("failed", _first_line(error))
        try:
            if problem := self._problem(self.op.disable, ours=False):
                return self.result("torch wrong", problem)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, TypeError, IndexError) as error:
            return self.result("torch refuses", _first_line(error))
        return self._timed(plan)

    def _problem(self, select: Callable[[], None], ours: bool) -> str:
        """What is wrong with a result, or nothing."""
        select()
        before = self.op.calls
        arguments = correctness.cloned(self.call)
        found = correctness.results(self.func, arguments)
        self.clock.synchronize()
        if (self.op.calls > before) != ours:
            raise RuntimeError("the call did not reach the kernel that it was meant for")
        return self.judge.verdict(arguments, found).note

    def _timed(self, plan: timing.Plan) -> Measurement:
        args, kwargs = self.call

        def call() -> object:
            return self.func(*args, **kwargs)

        contestants = (
            timing.Contestant("ours", call, self.ours),
            timing.Contestant("torchs", call, self.op.disable),
        )
        samples = timing.measure(self.clock, contestants, plan)
        ours, torchs = (_microseconds(samples[each.name].throughput) for each in contestants)
        enough = min(len(each.throughput) for each in samples.values()) >= FEWEST_ROUNDS
        verdict = verdict_on_times(ours, torchs) if enough else "undecided"
        note = "" if enough else "too slow to be measured often enough"
        return self.result(verdict, note, ours, torchs)


def _microseconds(seconds: list[float]) -> Quartiles:
    first, middle, third = (round(1e6 * value, 3) for value in timing.quartiles(seconds))
    return first, middle, third


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
