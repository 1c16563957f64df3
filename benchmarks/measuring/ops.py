"""One call of a registered overload, by one contestant or by several in turns."""

import dataclasses
import warnings
from collections.abc import Iterator
from typing import Any

import torch

from benchmarks import pairs, providers, traffic
from benchmarks.measuring.bench import Bench, Result, first_line, is_lost, is_out_of_memory, refusal
from mpsops._harness import calls, correctness, op_calls, overloads, timing
from mpsops._harness.cases import Case


def _inputs(case: Case, bench: Bench) -> tuple[torch._ops.OpOverload, overloads.Call]:
    func, call = calls.build(case, bench.provider.make_on)
    return func, calls.moved(call, bench.device)


class _Contest:
    """Attributes: able are those whose result is right, columns of each; moved is a call's bytes."""

    def __init__(self, case: Case, bench: Bench, func: torch._ops.OpOverload, call: overloads.Call) -> None:
        self.case, self.bench, self.func, self.call = case, bench, func, call
        self.able: list[timing.Contestant] = []
        self.columns: dict[str, dict[str, Any]] = {}
        self.moved = 0

    def judge(self) -> Iterator[Result]:
        """Tries every contestant; a result for each that has none to be timed."""
        args, kwargs = self.call
        compare_on = "cuda" if self.bench.device == "cuda" else "cpu"
        judge = correctness.Judge(self.case.family, self.func, self.call, compare_on)
        for name, select in providers.ways(self.bench.provider, self.case.name).items():
            select()
            fallbacks: list[int] = []
            copies = correctness.cloned(self.call)
            try:
                with providers.counted_fallbacks(fallbacks):
                    found = correctness.results(self.func, copies)
                    self.bench.clock.synchronize()
            except (NotImplementedError, RuntimeError, TypeError) as error:
                if is_lost(error) or is_out_of_memory(error):
                    raise
                yield Result(name, refusal(name, error), first_line(error), {})
                continue
            if (providers.registration(self.case.name).calls > 0) != (name in pairs.OURS):
                yield Result(name, "error", "the call did not go to the kernel of this provider", {})
                continue
            moved = traffic.bytes_moved(self.case.family, self.case.name, self.func, copies, found)
            self.moved = self.moved or moved
            verdict = judge.verdict(copies, found)
            self.columns[name] = {
                **{key: value for key, value in dataclasses.asdict(verdict).items() if key != "note"},
                "fallback_ops": fallbacks[0],
            }
            if verdict.note:
                yield Result(name, "wrong", verdict.note, self.columns[name])
                continue
            self.able.append(timing.Contestant(name, lambda: self.func(*args, **kwargs), select))

    def time(self) -> Iterator[Result]:
        if not self.able:
            return
        shape = [list(tensor.shape) for tensor in op_calls.tensors(self.call)]
        for name, samples in timing.measure(self.bench.clock, self.able, self.bench.plan).items():
            times = timing.as_row(samples)
            seconds = (times["gpu_ms"] or times["thr_ms"] or 0.0) / 1e3
            gbps = self.moved / seconds / 1e9 if seconds else None
            facts = {"shape": shape, "bytes": self.moved, "gbps": gbps}
            yield Result(name, "ok", "", {**facts, **times, **self.columns[name]})


def measure(case: Case, bench: Bench) -> Iterator[Result]:
    """A result for each contestant, as soon as it is known."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            func, call = _inputs(case, bench)
        except calls.NoCallError as error:
            for name in bench.provider.rows:
                yield Result(name, "unsupported", str(error), {})
            return
        with torch.no_grad():
            contest = _Contest(case, bench, func, call)
            yield from contest.judge()
            yield from contest.time()
