"""What a trace consists of."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import fsum
from typing import Literal, get_args

Place = Literal["stock", "mpsops", "cpu", "fallback", "missing", "raised"]
Sort = Literal["time", "calls", "bytes"]

PLACES: tuple[Place, ...] = get_args(Place)
SORTS: tuple[Sort, ...] = get_args(Sort)
# What a Metal kernel would make faster, or possible.
WITHOUT_KERNEL: tuple[Place, ...] = ("cpu", "fallback", "missing")

PLACE_NAMES: dict[Place, str] = {
    "stock": "torch on MPS",
    "mpsops": "mpsops kernel",
    "cpu": "CPU path",
    "fallback": "torch's CPU fallback",
    "missing": "no MPS kernel: raised",
    "raised": "raised",
}


@dataclass(frozen=True)
class TraceRow:
    """The calls of one op that came from one source line and ran in one place.

    Attributes:
        op: schema name with overload, ``aten::mode`` or ``aten::mode.values``.
        place: ``stock`` (torch's MPS backend, also views, which have no kernel), ``mpsops`` (a kernel of
            mpsops), ``cpu`` (mpsops' CPU path: on the CPU, in place), ``fallback`` (torch's own fallback:
            on the CPU, on copies), ``missing`` (raised because there is no MPS kernel) or ``raised``
            (raised for another reason).
        file: the program's file whose line called it, outside torch, mpsops and the standard library;
            ``""`` where no Python code did.
        line: number of that line, from 1; 0 where there is none.
        backward: it ran in the backward of what that line computed.
        calls: how often.
        seconds: host time in those calls, without ops inside that have rows of their own.
        bytes_copied: bytes that the CPU path or torch's fallback copied to the CPU and back.
    """

    op: str
    place: Place
    file: str
    line: int
    backward: bool
    calls: int
    seconds: float
    bytes_copied: int

    @property
    def source(self) -> str:
        """``file:line``, ``backward of file:line``, ``backward``, or ``""`` where it is unknown."""
        where = f"{self.file}:{self.line}" if self.file else ""
        if not self.backward:
            return where
        return f"backward of {where}" if where else "backward"


@dataclass(frozen=True)
class PlaceTotal:
    """Sums over rows: number of calls, seconds of host time, bytes copied."""

    calls: int = 0
    seconds: float = 0.0
    bytes_copied: int = 0


@dataclass(frozen=True)
class TraceTotals:
    """Sums over a whole trace.

    Attributes:
        calls: calls of ops; an op that is composed of others counts as those.
        seconds: host time in ops, of all threads together.
        composed_seconds: the part of it that was spent in ops composed of others, without those.
        wall_seconds: from the beginning of the trace to its end.
        bytes_copied: bytes that the CPU path and torch's fallback copied.
        places: the same by place; every place is there. The cost of the CPU is ``places["cpu"]`` and
            ``places["fallback"]``.
    """

    calls: int
    seconds: float
    composed_seconds: float
    wall_seconds: float
    bytes_copied: int
    places: dict[Place, PlaceTotal]


@dataclass(frozen=True)
class Candidate:
    """An op without a Metal kernel, all its source lines together: what a kernel for it would save.

    Attributes:
        op: schema name with overload.
        places: where it ran instead.
        calls: how often.
        seconds: host time in those calls.
        bytes_copied: bytes copied to the CPU and back.
    """

    op: str
    places: tuple[Place, ...]
    calls: int
    seconds: float
    bytes_copied: int


def add_up(rows: Iterable[TraceRow]) -> PlaceTotal:
    rows = list(rows)
    return PlaceTotal(
        sum(row.calls for row in rows),
        fsum(row.seconds for row in rows),  # in whatever order
        sum(row.bytes_copied for row in rows),
    )


def total(rows: list[TraceRow], composed_seconds: float, wall_seconds: float) -> TraceTotals:
    everything = add_up(rows)
    return TraceTotals(
        calls=everything.calls,
        seconds=everything.seconds + composed_seconds,
        composed_seconds=composed_seconds,
        wall_seconds=wall_seconds,
        bytes_copied=everything.bytes_copied,
        places={place: add_up(row for row in rows if row.place == place) for place in PLACES},
    )


def amount(item: TraceRow | Candidate | PlaceTotal, sort: Sort) -> float:
    """What to sort by; the largest comes first."""
    if sort not in SORTS:
        raise ValueError(f"mpsops.trace: sort must be one of {', '.join(SORTS)}, got {sort!r}")
    return {"time": item.seconds, "calls": item.calls, "bytes": item.bytes_copied}[sort]


def ranked(rows: list[TraceRow], sort: Sort) -> list[TraceRow]:
    return sorted(rows, key=lambda row: (-amount(row, sort), -row.seconds, row.op, row.source))


def candidates(rows: list[TraceRow], sort: Sort) -> list[Candidate]:
    wanted = [row for row in rows if row.place in WITHOUT_KERNEL]
    found = []
    for op in {row.op for row in wanted}:
        mine = [row for row in wanted if row.op == op]
        sums = add_up(mine)
        places = tuple(place for place in PLACES if any(row.place == place for row in mine))
        found.append(Candidate(op, places, sums.calls, sums.seconds, sums.bytes_copied))
    return sorted(found, key=lambda one: (-amount(one, sort), -one.seconds, one.op))
