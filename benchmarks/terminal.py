"""Results as tables on a terminal."""

from collections.abc import Iterable
from math import prod
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.pairs import Pair, Row, geometric_mean, median_of, pairs, ratios, share, time_ms


def time_text(ms: float | None) -> str:
    if ms is None:
        return "-"
    if ms < 1:
        return f"{1e3 * ms:.1f} µs"
    return f"{ms:.3f} ms" if ms < 1e3 else f"{ms / 1e3:.3f} s"


def number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"


def shape_text(row: Row) -> str:
    """Of the largest tensor."""
    return "x".join(map(str, max(row["shape"], key=prod))) if row.get("shape") else "-"


def pair_line(pair: Pair, copy_gbps: float | None) -> tuple[str, ...]:
    ours, theirs = pair.ours, pair.theirs
    return (
        ours["name"].removeprefix("aten::"),
        f"{ours['size']} {shape_text(ours)}",
        ours["dtype"] + (" strided" if ours["layout"] == "strided" else ""),
        time_text(time_ms(ours)),
        time_text(time_ms(theirs) if theirs else None),
        number(pair.ratio),
        number(ours.get("gbps"), 0),
        percent(share(ours, copy_gbps)),
        number(ours.get("host_us"), 1),
        number(theirs.get("host_us") if theirs else None, 1),
    )


PAIR_COLUMNS = ("op", "shape", "dtype", "ours", "theirs", "ratio", "GB/s", "of copy", "host us", "theirs")


def pair_table(found: Iterable[Pair], copy_gbps: float | None, title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(PAIR_COLUMNS):
        table.add_column(column, justify="left" if index < 3 else "right", no_wrap=True)
    for pair in found:
        table.add_row(*pair_line(pair, copy_gbps))
    return table


def status_counts(rows: Iterable[Row]) -> str:
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row["provider"], row["status"])
        counts[key] = counts.get(key, 0) + 1
    return ", ".join(f"{provider} {status}: {count}" for (provider, status), count in sorted(counts.items()))


def print_pairs(result: dict[str, Any], ours: str, theirs: str, console: Console, worst: int = 25) -> None:
    """Everything that was measured in turns, the mean, the worst cases, and what is no time."""
    (machine,) = result["machine"].values()
    copy_gbps = machine.get("copy_gbps")
    found = pairs(result["rows"], ours, theirs)
    compared = sorted((pair for pair in found if pair.ratio is not None), key=lambda pair: pair.ratio or 0.0)
    device = next((row["device"] for row in result["rows"] if row["device"]), "no device")
    console.print(pair_table(found, copy_gbps, f"{device}: ours is {ours}, theirs {theirs}"))
    console.print(pair_table(compared[:worst], copy_gbps, "lowest ratios"))
    console.print(
        f"copy bandwidth: {number(copy_gbps, 0)} GB/s; a kernel takes {time_text(machine.get('launch_ms'))}"
    )
    for label, chosen in (
        ("all", compared),
        ("large", [pair for pair in compared if pair.ours["size"] == "large"]),
        ("tiny", [pair for pair in compared if pair.ours["size"] == "tiny"]),
    ):
        mean, middle = number(geometric_mean(ratios(chosen))), number(median_of(ratios(chosen)))
        console.print(f"ratio of {len(chosen)} cases ({label}): geometric mean {mean}, median {middle}")
    below = sum((pair.ratio or 0.0) < 0.5 for pair in compared)
    console.print(f"below 0.5: {below} of {len(compared)}; drift of the machine: {machine['noisy']}")
    print_failures(result["rows"], console)


def print_failures(rows: Iterable[Row], console: Console) -> None:
    rows = list(rows)
    for row in rows:
        if row["status"] not in {"ok", "skipped"}:
            console.print(
                f"{row['status']}: {row['case']} by {row['provider']}: {row['note']}", soft_wrap=True
            )
    console.print(status_counts(rows), soft_wrap=True)


def run_table(rows: Iterable[Row]) -> Table:
    """One provider's figure in each row."""
    table = Table()
    for index, column in enumerate(
        ("case", "provider", "status", "latency", "throughput", "GB/s", "host us")
    ):
        table.add_column(column, justify="left" if index < 3 else "right", no_wrap=True)
    for row in rows:
        table.add_row(
            row["case"].removeprefix("aten::"),
            row["provider"],
            row["status"],
            time_text(row.get("lat_ms")),
            time_text(row.get("thr_ms")),
            number(row.get("gbps"), 1),
            number(row.get("host_us"), 1),
        )
    return table
