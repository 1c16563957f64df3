"""Runs cases in fresh processes, and makes a file of what comes back: whatever happens to a process."""

import json
import queue
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from benchmarks import conditions, environment, suites
from benchmarks.machine import DRIFT
from benchmarks.providers import Provider
from benchmarks.suites import Case
from mpsops._harness.timing import Plan

SCHEMA = 1
STARTUP = 120.0  # seconds, for torch, a device and its baselines
Progress = Callable[[int, int, dict[str, Any]], None]


@dataclass
class Outcome:
    """Of one provider."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[str, Any] = field(default_factory=dict)
    baselines: dict[str, float] = field(default_factory=dict)
    canaries: list[float] = field(default_factory=list)

    @property
    def noisy(self) -> bool:
        """Whether the fixed op took longer or shorter by more than a tenth along the way."""
        return bool(self.canaries) and max(self.canaries) > (1 + DRIFT) * min(self.canaries)


class _Process:
    """A worker, whose lines can be waited for with a time limit."""

    def __init__(self, provider: Provider, plan: Plan, cases: Sequence[Case]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", provider.name, json.dumps(asdict(plan))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=provider.process_environment(),
            cwd=environment.ROOT,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([suites.dumped(case) for case in cases]) + "\n")
        self.process.stdin.close()
        self.lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def next(self, seconds: float) -> dict[str, Any] | None:
        """The next message; None where the process is gone. Raises queue.Empty after the time."""
        line = self.lines.get(timeout=max(seconds, 0.01))
        if line is None:
            return None
        try:
            message = json.loads(line)
        except json.JSONDecodeError:  # a library that prints
            return {"kind": "noise"}
        return message if isinstance(message, dict) else {"kind": "noise"}

    def end(self) -> int:
        if self.process.poll() is None and self.lines.empty():
            self.process.kill()
        return self.process.wait()


def _row(provider: Provider, case: Case, status: str, note: str) -> list[dict[str, Any]]:
    row = {**case.as_row(), "device": None, "status": status, "note": note}
    return [{**row, "provider": name} for name in provider.rows]


def run_provider(
    provider: Provider,
    cases: Sequence[Case],
    plan: Plan,
    budget: float,
    *,
    progress: Progress = lambda done, total, row: None,
) -> Outcome:
    """Measures the cases, in their order. ``budget`` is in seconds.

    A case that ends the process is a row with status ``crash``, one that takes longer than its ``limit`` is
    ``timeout``; the rest goes on in another process. What the budget does not reach is ``skipped``.
    """
    outcome = Outcome()
    deadline = time.monotonic() + budget
    remaining = list(cases)
    total = len(remaining)

    def note(row: dict[str, Any]) -> None:
        outcome.rows.append(row)
        progress(total - len(remaining), total, row)

    while remaining and time.monotonic() < deadline:
        process = _Process(provider, plan, remaining)
        batch, current, reported = list(remaining), -1, 0
        limit = time.monotonic() + STARTUP
        problem: tuple[str, str] | None = None
        while True:
            try:
                message = process.next(min(limit, deadline) - time.monotonic())
            except queue.Empty:
                if time.monotonic() < deadline:
                    problem = ("timeout", f"took more than {batch[current].limit:.0f} s")
                break
            if message is None:
                problem = ("crash", "")
                break
            kind = message.pop("kind")
            if kind == "start":
                outcome.versions = message["env"]
                outcome.baselines = outcome.baselines or message["baselines"]
                outcome.canaries.append(message["baselines"]["canary_ms"])
            elif kind == "canary":
                outcome.canaries.append(message["ms"])
            elif kind == "case":
                current, reported = message["index"], 0
                remaining = batch[current:]
                limit = time.monotonic() + batch[current].limit
            elif kind == "row":
                reported += 1
                note(message)
            elif kind == "lost":
                problem = ("crash", message["note"])
            elif kind == "end":
                remaining = []
                break
        code = process.end() if remaining or problem else process.process.wait()
        if problem is not None:
            status, text = problem
            if current < 0:
                raise RuntimeError(
                    f"{provider.name}: its process ended before the first case, exit code {code}"
                )
            text = text or f"the process ended, exit code {code}"
            for row in _row(provider, batch[current], status, text)[reported:]:
                note(row)
            remaining = batch[current + 1 :]
        elif remaining:  # the budget is spent, in the middle of a case
            remaining = batch[max(current, 0) :]
            done = {row["case"] for row in outcome.rows}
            remaining = [case for case in remaining if case.id not in done]
    for case in remaining:
        for row in _row(provider, case, "skipped", f"the time of {budget:.0f} s was over"):
            note(row)
    return outcome


def run(
    providers: Sequence[Provider],
    cases: Sequence[Case],
    plan: Plan,
    budget: float,
    *,
    seed: int | None = None,
    progress: Progress = lambda done, total, row: None,
) -> dict[str, Any]:
    """A results file: environment, what the machine does by itself, rows. The budget is for all providers."""
    shuffled = list(cases)
    if seed is not None:
        random.Random(seed).shuffle(shuffled)
    record = {"utc": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), **environment.record()}
    rows: list[dict[str, Any]] = []
    machines = {}
    deadline = time.monotonic() + budget
    for index, provider in enumerate(providers):
        # What one does not use is the next one's: torch alone is soon done with ops that it lacks.
        share = max(deadline - time.monotonic(), 0.0) / (len(providers) - index)
        outcome = run_provider(provider, shuffled, plan, share, progress=progress)
        rows += outcome.rows
        record |= outcome.versions
        machines[provider.name] = {
            **outcome.baselines,
            "canaries_ms": outcome.canaries,
            "noisy": outcome.noisy,
        }
    record["gpu_after"] = environment.gpu_state()
    record["thermal_state_after"] = conditions.current()["thermal_state"]
    return {"schema": SCHEMA, "env": record, "machine": machines, "plan": asdict(plan), "rows": rows}
