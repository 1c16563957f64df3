"""The tables for people: what was measured on what, the result for each family, and what has no time."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.pairs import Pair, Row, geometric_mean, median_of, ratios, share, time_ms
from benchmarks.report.contest import NAMES, Contest
from benchmarks.sizes import SIZES
from benchmarks.terminal import number, percent, shape_text, time_text


def table(header: list[str], rows: Iterable[list[str]], left: int = 1) -> Iterator[str]:
    yield "| " + " | ".join(header) + " |"
    yield "|" + "|".join("---" if i < left else "--:" for i in range(len(header))) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def environment(result: dict[str, Any]) -> Iterator[str]:
    env = result["env"]
    gpu = env.get("gpu_after") or {}
    commit = (env["commit"] or "unknown")[:12] + (" and changes" if env.get("dirty") else "")
    facts = {
        "measured": env["utc"],
        "mpsops": f"{env['mpsops']}, commit {commit}",
        "torch": env["torch"],
        "GPU": env.get("gpu"),
        "driver": gpu.get("driver_version"),
        "clock, memory, temperature at the end": ", ".join(
            gpu[key] for key in ("clocks.sm", "clocks.mem", "temperature.gpu") if key in gpu
        ),
        "processor": f"{env['processor']}, {env['cores']} cores, {env['threads']} threads used",
        "system": f"{env['system']}, Python {env['python']}",
    }
    yield from table(["", ""], [[key, value] for key, value in facts.items() if value], left=2)


def summary(contest: Contest) -> Iterator[str]:
    compared = [pair for pair in contest.pairs if pair.ratio is not None]

    def row(label: str, chosen: list[Pair]) -> list[str]:
        values = ratios(chosen)
        hosts = [pair.host_ratio for pair in chosen if pair.host_ratio is not None]
        below = sum(value < 0.5 for value in values)
        means = [number(geometric_mean(values)), number(median_of(values))]
        return [label, str(len(values)), *means, str(below), number(geometric_mean(hosts))]

    by_size = {size: [pair for pair in compared if pair.ours["size"] == size] for size in SIZES}
    header = ["size", "cases", "ratio, geometric mean", "median", "below 0.5", "host time, ratio"]
    rows = [row("all", compared)] + [row(size, found) for size, found in by_size.items() if found]
    yield from table(header, rows)


def family_tables(contest: Contest) -> Iterator[str]:
    families: dict[str, list[Pair]] = defaultdict(list)
    for pair in contest.pairs:
        families[pair.ours["family"]].append(pair)
    header = [
        "op",
        "size",
        "shape",
        "dtype",
        "ours",
        "theirs",
        "ratio",
        "GB/s",
        "of copy",
        "host µs",
        "theirs",
    ]
    order = list(SIZES)
    for family, found in sorted(families.items()):
        yield f"\n### {family}\n"
        rows = []
        found.sort(
            key=lambda p: (p.ours["name"], order.index(p.ours["size"]), p.ours["dtype"], p.ours["layout"])
        )
        for pair in found:
            ours, theirs = pair.ours, pair.theirs
            rows.append(
                [
                    f"`{ours['name'].removeprefix('aten::')}`",
                    ours["size"],
                    shape_text(ours),
                    ours["dtype"] + (" strided" if ours["layout"] == "strided" else ""),
                    time_text(time_ms(ours)),
                    time_text(time_ms(theirs) if theirs else None),
                    number(pair.ratio),
                    number(ours.get("gbps"), 0),
                    percent(share(ours, contest.copy_gbps)),
                    number(ours.get("host_us"), 1),
                    number(theirs.get("host_us") if theirs else None, 1),
                ]
            )
        yield from table(header, rows, left=4)


def without_time(rows: list[Row]) -> Iterator[str]:
    """Grouped: the same note for several sizes of an op is one line."""
    grouped: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for row in rows:
        if row["status"] != "ok":
            key = (row["status"], row["name"], row["provider"], row["note"])
            grouped[key].append(f"{row['size']} {row['dtype']}")
    lines = [
        [
            status,
            f"`{name.removeprefix('aten::')}`",
            NAMES[provider],
            str(len(cases)),
            note.replace("|", "\\|"),
        ]
        for (status, name, provider, note), cases in sorted(grouped.items())
    ]
    yield from table(["status", "op", "by", "cases", "note"], lines, left=3)


def single_provider(result: dict[str, Any]) -> Iterator[str]:
    header = ["case", "by", "latency", "throughput", "GB/s", "host µs"]
    rows = [
        [
            f"`{row['case'].removeprefix('aten::')}`",
            NAMES[row["provider"]],
            time_text(row.get("lat_ms")),
            time_text(row.get("thr_ms")),
            number(row.get("gbps"), 1),
            number(row.get("host_us"), 1),
        ]
        for row in result["rows"]
        if row["status"] == "ok"
    ]
    yield from table(header, rows, left=2)


def document(result: dict[str, Any], contest: Contest | None, pictures: list[Path]) -> Iterator[str]:
    devices = sorted({row["device"] for row in result["rows"] if row["device"]})
    simulated = any(device.startswith("simulator") for device in devices)
    title = contest.title if contest else "Benchmarks"
    yield f"# {title}: {', '.join(devices)}\n"
    if simulated:
        yield "The device is simulated on this processor: these are no times of a Mac.\n"
    yield from environment(result)
    if contest is not None:
        clock = "the GPU's own time" if time_is_gpu(contest) else "throughput"
        yield f"\nRatio: time of {NAMES[contest.theirs]} by time of ours, {clock}; above 1, ours is faster."
        yield f"Copy bandwidth in the same run: {number(contest.copy_gbps, 0)} GB/s."
        yield "The machine drifted by more than 10 % along the way.\n" if contest.noisy else ""
        yield from summary(contest)
        for picture in (path for path in pictures if path.suffix == ".svg"):
            yield f"\n![{picture.stem}]({picture.name})"
        yield from family_tables(contest)
    else:
        yield ""
        yield from single_provider(result)
    yield "\n### Without a time\n"
    yield from without_time(result["rows"])


def time_is_gpu(contest: Contest) -> bool:
    return any(pair.ours.get("gpu_ms") for pair in contest.pairs)


def write(result: dict[str, Any], contest: Contest | None, pictures: list[Path], path: Path) -> Path:
    path.write_text("\n".join(document(result, contest, pictures)) + "\n")
    return path
