"""The document of one results file: what was measured on what, in short, in pictures, then every case."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from benchmarks.report import counts, families, headline, programs
from benchmarks.report.results import GPU, NAMES, SAME, Results
from benchmarks.report.tables import guide, table
from benchmarks.terminal import number, time_text


def environment(results: Results) -> Iterator[str]:
    env = results.env
    gpu = env.get("gpu_after") or {}
    commit = (env["commit"] or "unknown")[:12] + (" and changes" if env.get("dirty") else "")
    conditions = [
        f"power: {env['power']}" if env.get("power") else "",
        "low-power mode" if env.get("low_power_mode") else "",
        f"thermal state: {env['thermal_state']}" if env.get("thermal_state") else "",
        f"load {env['load']} at the start" if "load" in env else "",
    ]
    cores = [f"{env['cores']} cores", f"{env['gpu_cores']} GPU cores" if env.get("gpu_cores") else ""]
    macos = f"macOS {env['macos']}" if env.get("macos") else ""
    system = [env["system"], macos, f"Python {env['python']}"]
    facts = {
        "measured": env["utc"],
        "mpsops": f"{env['mpsops']}, commit {commit}",
        "torch": env["torch"],
        "GPU": env.get("gpu"),
        "driver": gpu.get("driver_version"),
        "clock, memory, temperature at the end": ", ".join(
            gpu[key] for key in ("clocks.sm", "clocks.mem", "temperature.gpu") if key in gpu
        ),
        "processor": ", ".join(filter(None, [env["processor"], *cores, f"{env['threads']} threads used"])),
        "memory": f"{env['memory_gib']} GiB" if env.get("memory_gib") else None,
        "system": ", ".join(filter(None, system)),
        "conditions": ", ".join(filter(None, conditions)),
        "noted before the run": "; ".join(env.get("preflight", [])),
        "the smallest kernel, with the wait": time_text(results.machine.get("launch_ms")),
        "copy bandwidth": f"{number(results.machine.get('copy_gbps'), 0)} GB/s",
    }
    yield from table(["", ""], [[key, value] for key, value in facts.items() if value], left=2)


def without_time(results: Results) -> Iterator[str]:
    """Grouped: the same note for several sizes of an op is one line."""
    grouped: dict[tuple[str, str, str, str], int] = defaultdict(int)
    for row in results.rows:
        if row["status"] != "ok":
            grouped[row["status"], row["name"], row["provider"], row["note"]] += 1
    rows = [
        [status, f"`{name.removeprefix('aten::')}`", NAMES[provider], str(count), note.replace("|", "\\|")]
        for (status, name, provider, note), count in sorted(grouped.items())
    ]
    yield from table(["status", "op", "by", "cases", "note"], rows, left=3)


def caveats(results: Results) -> Iterator[str]:
    if results.simulated:
        yield "The device is simulated on this processor: these are no times of a Mac.\n"
    if results.noisy:
        yield (
            "**Noisy**: one fixed op, timed along the way, varied by more than 10 %. Small differences mean "
            "nothing.\n"
        )


def legend(results: Results) -> str:
    others = "the fastest of the others" if len(results.others) > 1 else NAMES[results.others[0]]
    other_clock = "" if results.measure is GPU else "; in a block of calls with one wait, for `throughput`"
    return (
        f"Times: {results.measure.words}{other_clock}. Ratio: time of {others} by that of mpsops; above 1, "
        "mpsops is faster. *Faster* and *slower* are cases in which the quartiles of the two do not overlap "
        f"and the difference is above {100 * SAME:.0f} %. "
        "Error: the largest relative one, against the CPU in float64. A wrong result has no time.\n"
    )


def ops(results: Results, pictures: list[Path]) -> Iterator[str]:
    yield "\n## What each can do\n"
    yield from counts.by_provider(results)
    if results.ours and results.others:
        yield "\n## mpsops against the others\n"
        yield legend(results)
        yield from counts.by_other(results)
        yield "\n## The lowest ratios, the middle, the highest\n"
        yield from headline.lines(results)
    yield "\n## Pictures"
    for picture in (path for path in pictures if path.suffix == ".svg"):
        title = picture.stem.split("--")[-1].replace("-", " ")
        yield f"\n![{title}]({picture.name})"
    yield "\n## Families\n"
    if results.ours and results.others:
        yield from families.overview(results)
    yield from families.tables(results)
    yield "\n## Without a time\n"
    yield from without_time(results)


def document(results: Results, pictures: list[Path], folder: Path) -> Iterator[str]:
    torch = results.env.get("torch", "unknown")
    yield f"# Benchmarks: {results.device}, torch {torch}\n"
    yield from caveats(results)
    yield f"How to read this: {guide(folder)}.\n"
    yield from environment(results)
    if results.entries:
        yield from ops(results, [path for path in pictures if not programs.is_picture(path)])
    yield from programs.lines(results.all_rows, pictures)


def write(results: Results, pictures: list[Path], path: Path) -> Path:
    path.write_text("\n".join(document(results, pictures, path.parent)) + "\n")
    return path
