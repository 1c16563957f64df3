"""How a report spells numbers, places and sources."""

import os
from pathlib import Path

from .recorder import Trace
from .rows import PlaceTotal, TraceRow


def time(seconds: float) -> str:
    """Three digits and a unit."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        value = seconds * scale
        if value >= 1 or unit == "µs":
            digits = 0 if value >= 100 else 1 if value >= 10 else 2
            return f"{value:,.{digits}f} {unit}"
    raise AssertionError


def size(count: int) -> str:
    """Decimal units; nothing for nothing."""
    if count == 0:
        return ""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.5 or unit == "TB":
            break
    return f"{value:,.{0 if value >= 100 else 1}f} {unit}"


def calls(count: int) -> str:
    return f"{count:,} call{'s' * (count != 1)}"


def short(op: str) -> str:
    return op.removeprefix("aten::")


def file(path: str) -> str:
    """Relative to the working directory where it is below it, else the last two parts."""
    where = Path(path)
    if not where.is_absolute():
        return path
    if where.is_relative_to(os.getcwd()):
        return str(where.relative_to(os.getcwd()))
    return str(Path(*where.parts[-2:]))


def source(row: TraceRow) -> str:
    return row.source.replace(row.file, file(row.file)) if row.file else row.source or "not Python"


def share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if whole > 0 else ""


def clock(trace: Trace) -> str:
    if trace.synchronize:
        return "time of the work: the device was waited for around each op"
    return "host time: the GPU may have gone on working"


def summary(trace: Trace) -> str:
    totals = trace.totals
    return (
        f"{calls(totals.calls)} of ops on mps took {time(totals.seconds)} "
        f"of {time(totals.wall_seconds)} ({clock(trace)})."
    )


def cpu_cost(trace: Trace) -> str:
    """What ran on the CPU cost, in a sentence; empty if nothing did."""
    places = trace.totals.places
    cpu = PlaceTotal(
        places["cpu"].calls + places["fallback"].calls,
        places["cpu"].seconds + places["fallback"].seconds,
        places["cpu"].bytes_copied + places["fallback"].bytes_copied,
    )
    if cpu.calls == 0:
        return ""
    copied = f"{size(cpu.bytes_copied)} copied" if cpu.bytes_copied else "nothing copied"
    return (
        f"{cpu.calls:,} of them ran on the CPU: {time(cpu.seconds)}, "
        f"{share(cpu.seconds, trace.totals.seconds)} of the time, {copied}."
    )
