"""A results file as reports see it: the op cases, each with what every provider did."""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from benchmarks.files import device_of
from benchmarks.pairs import OURS, Row
from mpsops._harness.sizes import SIZES

NAMES = {
    "cpu": "CPU",
    "mps": "stock MPS",
    "mps_fallback": "CPU fallback",
    "mpsops": "mpsops",
    "torch_cuda": "PyTorch's CUDA kernel",
    "mpsops_cuda": "mpsops",
}

SAME = 0.02  # of the time, which nobody notices


@dataclass(frozen=True)
class Measure:
    """One clock for all providers of a file: what it is called, and its columns."""

    words: str
    middle: str
    first_quartile: str
    third_quartile: str


LATENCY = Measure("latency, a call and the wait for it", "lat_ms", "lat_q1_ms", "lat_q3_ms")
GPU = Measure("the GPU's own time", "gpu_ms", "gpu_q1_ms", "gpu_q3_ms")


@dataclass(frozen=True)
class Entry:
    """One case. Attributes: rows by provider, as they are in the file; ours is a provider, or empty."""

    rows: dict[str, Row]
    ours: str
    measure: Measure

    @property
    def case(self) -> Row:
        """A row that says what was measured: the best known of them, which has a shape."""
        return max(self.rows.values(), key=lambda row: (row["status"] == "ok", row["provider"] == self.ours))

    @property
    def op(self) -> str:
        return str(self.case["name"]).removeprefix("aten::")

    @property
    def label(self) -> str:
        return self.op + (" strided" if self.case["layout"] == "strided" else "")

    def time(self, provider: str) -> float | None:
        """Milliseconds; None for whatever has none."""
        row = self.rows.get(provider)
        return row[self.measure.middle] if row is not None and row["status"] == "ok" else None

    def spread(self, provider: str) -> tuple[float, float]:
        row = self.rows[provider]
        return row[self.measure.first_quartile], row[self.measure.third_quartile]

    @cached_property
    def rival(self) -> str | None:
        """The fastest of the others."""
        others = [name for name in self.rows if name != self.ours and self.time(name) is not None]
        return min(others, key=lambda name: self.time(name) or 0.0) if others else None

    def ratio_to(self, provider: str | None) -> float | None:
        """Their time by ours: above 1, ours is faster."""
        ours, theirs = self.time(self.ours), self.time(provider) if provider else None
        return theirs / ours if ours and theirs else None

    @property
    def ratio(self) -> float | None:
        return self.ratio_to(self.rival)

    def outcome_to(self, provider: str | None) -> str | None:
        """``faster`` or ``slower``: by more than SAME, with quartiles that do not overlap; else ``equal``."""
        ratio = self.ratio_to(provider)
        if provider is None or ratio is None:
            return None
        if 1 / (1 + SAME) <= ratio <= 1 + SAME:
            return "equal"
        (low, high), (their_low, their_high) = self.spread(self.ours), self.spread(provider)
        return "faster" if high < their_low else "slower" if low > their_high else "equal"

    @property
    def words(self) -> str:
        """The result of ours against the fastest of the others."""
        row = self.rows.get(self.ours)
        if row is None:
            return "not measured"
        if row["status"] != "ok":
            return str(row["status"])
        if self.rival is None:
            return "no other has a time"
        outcome, name = self.outcome_to(self.rival), NAMES[self.rival]
        return f"no difference to {name}" if outcome == "equal" else f"{outcome} than {name}"


class Results:
    """Attributes: providers of op cases in the order of NAMES, ours and others of them; entries by family.

    Raises ValueError for a file of several devices: no table or picture mixes them.
    """

    def __init__(self, result: dict[str, Any]) -> None:
        self.env: dict[str, Any] = result["env"]
        self.all_rows: list[Row] = result["rows"]
        self.rows = [row for row in self.all_rows if row["suite"] == "ops"]
        present = {row["provider"] for row in self.rows}
        self.providers = [name for name in NAMES if name in present]
        self.ours = next((name for name in self.providers if name in OURS), "")
        self.others = [name for name in self.providers if name != self.ours]
        self.device = device_of(result)
        self.simulated = self.device.startswith("simulator")
        self.machine = machine_of(result, self.ours)
        self.noisy = any(each["noisy"] for each in result["machine"].values())
        timed = [row for row in self.rows if row["status"] == "ok"]
        self.measure = GPU if timed and all(row.get("gpu_ms") for row in timed) else LATENCY
        self.entries = self._entries(self.measure)

    def _entries(self, measure: Measure) -> list[Entry]:
        grouped: dict[str, dict[str, Row]] = defaultdict(dict)
        for row in self.rows:
            grouped[row["case"]][row["provider"]] = row
        entries = [Entry(rows, self.ours, measure) for rows in grouped.values()]
        sizes = list(SIZES)

        def order(entry: Entry) -> tuple[object, ...]:
            case = entry.case
            return case["family"], case["name"], sizes.index(case["size"]), case["dtype"], case["layout"]

        return sorted(entries, key=order)

    @cached_property
    def latencies(self) -> list[Entry]:
        """The same by latency, whatever clocks there are: the one that launches are part of."""
        return self._entries(LATENCY)

    @property
    def place(self) -> str:
        """What every picture says it was measured on."""
        torch = self.env.get("torch", "unknown")
        apart = ", no times of a Mac" if self.simulated else ""
        return f"{self.device}{apart}; torch {torch}, mpsops {self.env.get('mpsops', 'unknown')}"


def machine_of(result: dict[str, Any], provider: str) -> dict[str, Any]:
    """What the machine does by itself, from the process of a provider; of the only one for contestants."""
    machines = result["machine"]
    found: dict[str, Any] = machines.get(provider) or (
        next(iter(machines.values())) if len(machines) == 1 else {}
    )
    return found


def plain(entries: list[Entry]) -> list[Entry]:
    """Each op contiguous, into memory of its own, in the dtype that it was measured in most sizes in."""
    candidates: dict[str, dict[str, list[Entry]]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        case = entry.case
        if case["layout"] == "contiguous" and case["form"] == "functional":
            candidates[entry.op][case["dtype"]].append(entry)

    def of_main_dtype(by_dtype: dict[str, list[Entry]]) -> list[Entry]:
        dtype = max(by_dtype, key=lambda name: (len(by_dtype[name]), name == "float32", name))
        return by_dtype[dtype]

    return [entry for by_dtype in candidates.values() for entry in of_main_dtype(by_dtype)]
