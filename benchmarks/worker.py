"""The process that measures: reads cases from standard input, writes a line of JSON for each row.

``python -m benchmarks.worker PROVIDER PLAN``. The parent (benchmarks/runner.py) chooses the environment,
watches the clock, and starts another one where this one dies.
"""

import gc
import json
import sys
import time
from typing import Any

import torch

from benchmarks import providers, suites
from benchmarks.environment import library_versions
from benchmarks.machine import Baselines
from benchmarks.measuring import MEASURES, Bench, Measure
from benchmarks.measuring.bench import first_line, is_lost, is_out_of_memory
from benchmarks.suites import Case
from mpsops._harness import timing


def emit(kind: str, **content: Any) -> None:
    print(json.dumps({"kind": kind, **content}), flush=True)


class Worker:
    def __init__(self, bench: Bench, measures: dict[str, Measure] = MEASURES) -> None:
        self.bench, self.measures = bench, measures

    def run(self, case: Case) -> None:
        """A row for each contestant, whatever is raised; a device that is lost ends the process."""
        open_rows = list(self.bench.provider.rows)

        def row(contestant: str, status: str, note: str, columns: dict[str, Any]) -> None:
            open_rows.remove(contestant)
            facts = {"provider": contestant, "device": self.bench.name, "status": status, "note": note}
            emit("row", **{**case.as_row(), **facts, **columns})

        try:
            for result in self.measures[case.suite](case, self.bench):
                row(result.contestant, result.status, result.note, result.columns)
        except Exception as error:
            if is_lost(error):
                emit("lost", note=first_line(error))
                raise SystemExit(3) from error
            status = "oom" if is_out_of_memory(error) else "error"
            for name in list(open_rows):
                row(name, status, f"{type(error).__name__}: {first_line(error)}", {})


def main() -> None:
    provider = providers.PROVIDERS[sys.argv[1]]
    plan = timing.Plan(**json.loads(sys.argv[2]))
    torch.manual_seed(0)
    bench = Bench(provider, plan)
    worker, baselines = Worker(bench), Baselines(bench.clock)
    cases = [suites.loaded(case) for case in json.loads(sys.stdin.readline())]
    emit("start", env=library_versions(), device=bench.name, baselines=baselines.measure())
    last = time.monotonic()
    for index, case in enumerate(cases):
        emit("case", index=index)
        worker.run(case)
        if time.monotonic() - last > 30:
            last = time.monotonic()
            gc.collect()
            emit("canary", ms=baselines.canary_ms())
    emit("canary", ms=baselines.canary_ms())
    emit("end")


if __name__ == "__main__":
    main()
