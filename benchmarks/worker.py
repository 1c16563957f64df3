"""The process that measures: reads cases from standard input, writes a line of JSON for each row.

``python -m benchmarks.worker PROVIDER PLAN``. The parent (benchmarks/runner.py) chooses the environment,
watches the clock, and starts another one where this one dies.
"""

import dataclasses
import gc
import json
import sys
import time
import warnings
from typing import Any

import torch

from benchmarks import calls, correctness, op_calls, overloads, pairs, providers, timing, traffic
from benchmarks.cases import Case
from benchmarks.clocks import Clock, CudaClock, HostClock, MpsClock
from benchmarks.environment import device_name, library_versions
from benchmarks.machine import Baselines


def clock_of(provider: providers.Provider, simulated: bool) -> Clock:
    if provider.device == "cuda":
        return CudaClock()
    return MpsClock(simulated) if provider.device == "mps" else HostClock()


class Worker:
    def __init__(self, provider: providers.Provider, plan: timing.Plan) -> None:
        self.provider, self.plan = provider, plan
        self.simulated = providers.start(provider)
        self.clock = clock_of(provider, self.simulated)
        self.name = device_name(provider.device, self.simulated)
        self.baselines = Baselines(self.clock)

    def emit(self, kind: str, **content: Any) -> None:
        print(json.dumps({"kind": kind, **content}), flush=True)

    def row(self, case: Case, contestant: str, status: str, note: str = "", **columns: Any) -> None:
        row = {**case.as_row(), "provider": contestant, "device": self.name, "status": status, "note": note}
        self.emit("row", **{**row, **columns})

    def inputs(self, case: Case) -> tuple[torch._ops.OpOverload, overloads.Call]:
        made_on = self.provider.make_on
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            func, call = calls.build(case, made_on)
        return func, calls.moved(call, self.provider.device)

    def contestants(
        self, case: Case, func: torch._ops.OpOverload, call: overloads.Call
    ) -> tuple[list[timing.Contestant], dict[str, dict[str, Any]], int]:
        """Those whose result is right; the columns of each; the bytes that a call moves."""
        able, columns = [], {}
        moved = 0
        args, kwargs = call
        compare_on = "cuda" if self.provider.device == "cuda" else "cpu"
        judge = correctness.Judge(case.family, func, call, compare_on)
        for name, select in providers.ways(self.provider, case.name).items():
            select()
            fallbacks: list[int] = []
            try:
                copies = correctness.cloned(call)
                with providers.counted_fallbacks(fallbacks):
                    found = correctness.results(func, copies)
                    self.clock.synchronize()
                if (providers.registration(case.name).calls > 0) != (name in pairs.OURS):
                    self.row(case, name, "error", "the call did not go to the kernel of this provider")
                    continue
            except (NotImplementedError, RuntimeError, TypeError) as error:
                if is_lost(error):
                    raise
                # Partial ops leave the rest to torch's MPS kernel, which other devices do not have.
                refused = isinstance(error, NotImplementedError) or "to pass this call on" in str(error)
                refused = refused or name not in pairs.OURS
                self.row(case, name, "unsupported" if refused else "error", first_line(error))
                continue
            moved = moved or traffic.bytes_moved(case.family, case.name, func, copies, found)
            verdict = judge.verdict(copies, found)
            columns[name] = {
                **{k: v for k, v in dataclasses.asdict(verdict).items() if k != "note"},
                "fallback_ops": fallbacks[0],
            }
            if verdict.note:
                self.row(case, name, "wrong", verdict.note, **columns[name])
                continue
            able.append(timing.Contestant(name, lambda: func(*args, **kwargs), select))
        return able, columns, moved

    def run(self, case: Case) -> None:
        try:
            func, call = self.inputs(case)
        except calls.NoCallError as error:
            for name in self.provider.rows:
                self.row(case, name, "unsupported", str(error))
            return
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            able, columns, moved = self.contestants(case, func, call)
            if not able:
                return
            shape = [list(t.shape) for t in op_calls.tensors(call)]
            for name, samples in timing.measure(self.clock, able, self.plan).items():
                times = timing.as_row(samples)
                seconds = (times["gpu_ms"] or times["thr_ms"] or 0.0) / 1e3
                gbps = moved / seconds / 1e9 if seconds else None
                self.row(case, name, "ok", "", shape=shape, bytes=moved, gbps=gbps, **times, **columns[name])

    def guarded(self, case: Case) -> None:
        try:
            self.run(case)
        except torch.OutOfMemoryError as error:
            self.failed(case, "oom", error)
        except Exception as error:  # a row, whatever it is; a device that is lost ends the process
            if is_lost(error):
                self.emit("lost", note=first_line(error))
                raise SystemExit(3) from error
            self.failed(case, "error", error)

    def failed(self, case: Case, status: str, error: Exception) -> None:
        for name in self.provider.rows:
            self.row(case, name, status, f"{type(error).__name__}: {first_line(error)}")


def is_lost(error: Exception) -> bool:
    """Whether the CUDA context is gone with it."""
    return "CUDA error" in str(error) or "illegal memory access" in str(error)


def first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].split(". ")[0][:200] if lines else type(error).__name__


def main() -> None:
    provider = providers.PROVIDERS[sys.argv[1]]
    plan = timing.Plan(**json.loads(sys.argv[2]))
    torch.manual_seed(0)
    worker = Worker(provider, plan)
    cases = [Case(**case) for case in json.loads(sys.stdin.readline())]
    worker.emit("start", env=library_versions(), device=worker.name, baselines=worker.baselines.measure())
    last = time.monotonic()
    for index, case in enumerate(cases):
        worker.emit("case", index=index)
        worker.guarded(case)
        if time.monotonic() - last > 30:
            last = time.monotonic()
            gc.collect()
            worker.emit("canary", ms=worker.baselines.canary_ms())
    worker.emit("canary", ms=worker.baselines.canary_ms())
    worker.emit("end")


if __name__ == "__main__":
    main()
