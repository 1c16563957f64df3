"""The table to read first: the lowest ratios, those in the middle and the highest, in one order."""

from collections.abc import Iterable, Iterator
from math import log

from benchmarks.pairs import median_of
from benchmarks.report.results import Entry, Results
from benchmarks.report.tables import CASE_HEADER, case_cells, comparison_cells, table, times_header

EACH = 8


def _first_of_families(entries: Iterable[Entry], taken: set[str]) -> list[Entry]:
    """The first case of each of EACH families, so that one op does not fill the table."""
    found: dict[str, Entry] = {}
    for entry in entries:
        if entry.case["case"] not in taken and len(found) < EACH:
            found.setdefault(entry.case["family"], entry)
    taken |= {entry.case["case"] for entry in found.values()}
    return list(found.values())


def chosen(entries: list[Entry]) -> list[Entry]:
    """By ratio, lowest first; all of them, if they are few."""
    timed = sorted(
        (entry for entry in entries if entry.ratio is not None), key=lambda entry: entry.ratio or 0.0
    )
    if len(timed) <= 3 * EACH:
        return timed
    middle = median_of([entry.ratio or 0.0 for entry in timed]) or 1.0
    taken: set[str] = set()
    found = _first_of_families(timed, taken)
    found += _first_of_families(reversed(timed), taken)
    central = sorted(timed, key=lambda entry: abs(log((entry.ratio or 1.0) / middle)))
    found += _first_of_families(central, taken)
    return sorted(found, key=lambda entry: entry.ratio or 0.0)


def lines(results: Results) -> Iterator[str]:
    header = [*CASE_HEADER, *times_header(results.providers), "ratio", "error", "mpsops is"]
    rows = [
        [*case_cells(entry), *comparison_cells(entry, results.providers), entry.words]
        for entry in chosen(results.entries)
    ]
    yield from table(header, rows, left=len(CASE_HEADER))
