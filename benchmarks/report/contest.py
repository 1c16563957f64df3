"""Which two providers of a file are compared, and what is said of the device."""

from dataclasses import dataclass
from typing import Any

from benchmarks.pairs import Pair, pairs

# Ours, and whom it has to beat: torch's kernel, what users have today, the CPU.
CONTESTS = (
    ("mpsops_cuda", "torch_cuda"),
    ("mpsops", "mps"),
    ("mpsops", "mps_fallback"),
    ("mpsops", "cpu"),
)
NAMES = {
    "mpsops_cuda": "mpsops",
    "torch_cuda": "PyTorch's CUDA kernel",
    "mpsops": "mpsops",
    "mps": "stock MPS",
    "mps_fallback": "the CPU fallback",
    "cpu": "the CPU",
}


@dataclass(frozen=True)
class Contest:
    """Attributes: copy_gbps is the copy bandwidth of the same run."""

    ours: str
    theirs: str
    pairs: list[Pair]
    device: str
    copy_gbps: float | None
    noisy: bool

    @property
    def title(self) -> str:
        return f"{NAMES[self.ours]} against {NAMES[self.theirs]}"


def contest_of(result: dict[str, Any]) -> Contest | None:
    """The contest with the most pairs; None for a file of one provider."""
    candidates = []
    for ours, theirs in CONTESTS:
        found = pairs(result["rows"], ours, theirs)
        candidates.append((sum(pair.theirs is not None for pair in found), ours, theirs, found))
    count, ours, theirs, found = max(candidates, key=lambda each: each[0])
    if count == 0:
        return None
    machines = [result["machine"].get(name) for name in (ours, "nvidia")]
    machine = next((each for each in machines if each), {})
    noisy = machine.get("noisy", False)
    return Contest(ours, theirs, found, found[0].ours["device"], machine.get("copy_gbps"), noisy)
