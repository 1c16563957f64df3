"""All cases, a table for each family, under one that sums them up."""

from collections import defaultdict
from collections.abc import Iterator

from benchmarks.pairs import share
from benchmarks.report.counts import HEADER, compared
from benchmarks.report.results import NAMES, Entry, Results
from benchmarks.report.tables import CASE_HEADER, case_cells, comparison_cells, table, times_header
from benchmarks.terminal import number, percent


def by_family(results: Results) -> dict[str, list[Entry]]:
    families: dict[str, list[Entry]] = defaultdict(list)
    for entry in results.entries:
        families[entry.case["family"]].append(entry)
    return dict(sorted(families.items()))


def overview(results: Results) -> Iterator[str]:
    """The lowest median on top."""
    rows = []
    for family, entries in by_family(results).items():
        comparison = compared(entries)
        untimed = sum(entry.time(results.ours) is None for entry in entries)
        row = [f"[{family}](#{family})", *comparison.cells()[:-1], str(untimed or "-")]
        rows.append((float("inf") if comparison.median is None else comparison.median, row))
    header = ["family", *HEADER, "without a time of ours"]
    yield from table(header, [row for _, row in sorted(rows)])


def tables(results: Results) -> Iterator[str]:
    # The host's time of the others says something only where they run on the same device, in turns.
    hosts = [results.ours, *results.others] if len(results.others) == 1 else [results.ours]
    hosts = [name for name in hosts if name]
    header = [*CASE_HEADER, *times_header(results.providers), "ratio", "error", "GB/s", "of copy"]
    header += [f"host µs, {NAMES[name]}" for name in hosts]
    for family, entries in by_family(results).items():
        yield f"\n### {family}\n"
        rows = []
        for entry in entries:
            row = entry.rows.get(results.ours, {})
            rows.append(
                [
                    *case_cells(entry),
                    *comparison_cells(entry, results.providers),
                    number(row.get("gbps"), 1),
                    percent(share(row, results.machine.get("copy_gbps"))),
                    *(number(entry.rows.get(name, {}).get("host_us"), 1) for name in hosts),
                ]
            )
        yield from table(header, rows, left=len(CASE_HEADER))
