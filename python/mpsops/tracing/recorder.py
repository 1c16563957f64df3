"""The context manager that records, and what can be asked of a recording."""

import json
import os
import sysconfig
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import torch

from mpsops import _C

from .rows import Candidate, Sort, TraceRow, TraceTotals, candidates, ranked, total

if TYPE_CHECKING:
    from rich.console import Group

FORMAT = 1  # of to_json()

Key = tuple[str, str, str, int, bool]
Counters = dict[Key, tuple[int, int, int]]


def _counters() -> Counters:
    return {row[:5]: row[5:] for row in _C.trace.counters()}


def _skipped() -> list[tuple[str, bool]]:
    """Whose frames are not the user's program, by prefix of the file; the longest prefix decides."""
    package = Path(__file__).parents[1]
    paths = sysconfig.get_paths()
    skipped = {paths["stdlib"]: True, paths["platstdlib"]: True}
    skipped |= {paths["purelib"]: False, paths["platlib"]: False}
    skipped |= {str(package): True, str(package / "demo"): False}
    skipped |= dict.fromkeys(torch.__path__, True)
    rules = [(path + os.sep, skip) for path, skip in skipped.items()]
    return [*rules, ("<frozen ", True), ("<eval_with_key>", True)]


def _eagerly(work: Callable[[], None]) -> None:
    """Dynamo, in whose function a trace begins or ends, must not look into it."""
    if torch.compiler.is_compiling():
        torch.compiler.disable(work)()
    else:
        work()


class Trace:
    """Every op that touched MPS tensors inside a ``with`` block: see :func:`trace`.

    ``print()`` shows it as a table, a notebook as a picture and a table.

    Attributes:
        synchronize: whether the device was waited for around each op.
        device: ``"simulator"`` or ``"metal"``.
        torch: version of torch.
    """

    def __init__(self, *, synchronize: bool = False) -> None:
        self.synchronize = synchronize
        self.device = "simulator" if _C.runtime == "sim" else "metal"
        self.torch = torch.__version__
        self._begin: float | None = None
        self._before: tuple[Counters, int] = ({}, 0)
        self._recorded: tuple[list[TraceRow], float, float] | None = None

    def __enter__(self) -> Self:
        _eagerly(self._enter)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        _eagerly(self._exit)

    def _enter(self) -> None:
        if self._begin is not None or self._recorded is not None:
            raise RuntimeError("mpsops.trace: a trace must be entered once, got a second time")
        _C.trace.set_skipped(_skipped())
        _C.trace.start(self.synchronize)
        self._before = _counters(), _C.trace.composed_nanoseconds()
        self._begin = time.perf_counter()

    def _exit(self) -> None:
        try:
            self._recorded = self._read()
        finally:
            _C.trace.stop(self.synchronize)

    def _read(self) -> tuple[list[TraceRow], float, float]:
        """Rows, seconds in composed ops, seconds since the beginning: what was counted since then."""
        if self._recorded is not None:
            return self._recorded
        if self._begin is None:
            return [], 0.0, 0.0
        wall = time.perf_counter() - self._begin
        before, composed = self._before
        rows = []
        for key, counted in _counters().items():
            calls, nanoseconds, copied = (
                now - then for now, then in zip(counted, before.get(key, (0, 0, 0)), strict=True)
            )
            if calls > 0:
                op, place, file, line, backward = key
                rows.append(
                    TraceRow(op, place, file, line, backward, calls, nanoseconds * 1e-9, copied)  # type: ignore[arg-type]
                )
        return rows, (_C.trace.composed_nanoseconds() - composed) * 1e-9, wall

    @property
    def rows(self) -> tuple[TraceRow, ...]:
        """What was recorded so far, the most time first."""
        return tuple(ranked(self._read()[0], "time"))

    @property
    def totals(self) -> TraceTotals:
        """Sums of what was recorded so far."""
        return total(*self._read())

    def candidates(self, sort: Sort = "time") -> tuple[Candidate, ...]:
        """Ops that would be worth a kernel: those that ran on the CPU, or raised for lack of one.

        Args:
            sort: ``"time"``, ``"calls"`` or ``"bytes"``; the largest comes first.
        """
        return tuple(candidates(self._read()[0], sort))

    def table(self, sort: Sort = "time", limit: int | None = 25) -> "Group":
        """For ``rich.print``: totals, ops, and what would be worth a kernel.

        Args:
            sort: ``"time"``, ``"calls"`` or ``"bytes"``; the largest comes first.
            limit: how many rows at most; ``None``: all.
        """
        from .terminal import render

        return render(self, sort, limit)

    def to_markdown(self, sort: Sort = "time", limit: int | None = None) -> str:
        """The same as :meth:`table`, as GitHub's Markdown."""
        from .markdown import render

        return render(self, sort, limit)

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write one page that needs nothing else: a picture of the time, and a table that sorts.

        Raises:
            OSError: the file cannot be written.
        """
        from .html import page

        Path(path).write_text(page(self), encoding="utf-8")

    def to_json(self) -> str:
        """Everything, for other programs; times in seconds. :meth:`from_json` reads it."""
        return json.dumps(
            {
                "format": FORMAT,
                "torch": self.torch,
                "device": self.device,
                "synchronize": self.synchronize,
                "totals": asdict(self.totals),
                "candidates": [asdict(one) for one in self.candidates()],
                "rows": [asdict(row) for row in self.rows],
            },
            indent=1,
        )

    @classmethod
    def from_json(cls, text: str) -> "Trace":
        """A trace that was written by :meth:`to_json`.

        Raises:
            ValueError: the text is no such trace, or one of another format.
        """
        data: dict[str, Any] = json.loads(text)
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            found = data.get("format") if isinstance(data, dict) else type(data).__name__
            raise ValueError(f"mpsops.Trace.from_json: format must be {FORMAT}, got {found!r}")
        trace = cls(synchronize=data["synchronize"])
        trace.torch = data["torch"]
        trace.device = data["device"]
        rows = [TraceRow(**row) for row in data["rows"]]
        totals = data["totals"]
        trace._recorded = rows, totals["composed_seconds"], totals["wall_seconds"]
        return trace

    def __str__(self) -> str:
        from .terminal import plain

        return plain(self)

    def __rich__(self) -> "Group":
        return self.table()

    def _repr_html_(self) -> str:
        from .html import fragment

        return fragment(self)


def trace(*, synchronize: bool = False) -> Trace:
    """Record every op that touches MPS tensors inside a ``with`` block: where it ran, for how long, why.

        with mpsops.trace() as t:
            loss = model(x).sum()
            loss.backward()
        print(t)

    All threads of the process are recorded, autograd's too. Traces may be nested and may overlap.
    Ops of functions under ``torch.compile`` are recorded as they run, with the function's first line. Put
    the ``with`` around the call: PyTorch does not compile a function that has it inside.

    Args:
        synchronize: wait for the device before and after each op. Without it times are those of the host,
            which on a GPU only hands over the work and goes on; with it they are those of the work, and the
            program runs slower.

    Returns:
        A :class:`Trace`. What it holds can be read while it runs and afterwards.

    Raises:
        RuntimeError: on entering the same trace a second time; on leaving it, with ``synchronize``, for
            errors that the device reported meanwhile.
    """
    return Trace(synchronize=synchronize)
