"""What ``mpsops.enable("tuned")`` makes of measurements, op by op."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from mpsops import _C

from .measurement import Measurement

# (dtype, fewest elements, most elements) of calls that are mpsops'.
Limit = tuple[str, int, int]


@dataclass(frozen=True)
class Decision:
    """On one overload.

    Attributes:
        on: whether mpsops' kernel is registered at all.
        limits: the calls that are its own; None: all.
        reason: in one sentence.
    """

    on: bool
    limits: tuple[Limit, ...] | None
    reason: str

    @property
    def kernel(self) -> str:
        """Whose it is, for calls that both can do."""
        if self.on and self.limits is None:
            return "mpsops"
        return "both" if self.on and self.limits else "torch"


def contested(op: "_C.Op") -> bool:
    """Whether torch's kernel could do what ours does: such ops are measured, all others are on anyway."""
    torch_has_it = op.policy != "missing" and op.exists and op.native
    return torch_has_it and not op.passes_on and not op.torch_errs


def limits(measurements: Iterable[Measurement]) -> tuple[Limit, ...]:
    """From size to size, of each dtype, where all that was measured was won. Nothing is extrapolated."""
    ordered = sorted(measurements, key=lambda each: (each.dtype, each.elements))
    found = []
    for dtype, of_dtype in groupby(ordered, key=lambda each: each.dtype):
        points = [
            (elements, all(each.won for each in of_size))
            for elements, of_size in groupby(of_dtype, key=lambda each: each.elements)
        ]
        for won, run in groupby(points, key=lambda point: point[1]):
            if won:
                sizes = [elements for elements, _ in run]
                found.append((dtype, sizes[0], sizes[-1]))
    return tuple(found)


def describe(found: Iterable[Limit]) -> str:
    """``float32 of 256 to 262144 elements``."""
    return ", ".join(
        f"{dtype} of {fewest} to {most} elements" if fewest < most else f"{dtype} of {fewest} elements"
        for dtype, fewest, most in found
    )


def decide(op: "_C.Op", measurements: Sequence[Measurement]) -> Decision:
    """On an op of whatever policy, from the measurements of it."""
    if not contested(op):
        return Decision(op.policy != "faster", None, op.reason)
    if bad := [each for each in measurements if each.rules_out]:
        problem = f"{bad[0].dtype}, {bad[0].size}: {bad[0].note}"
        return Decision(False, None, f"tuned: mpsops' kernel is {bad[0].verdict} here ({problem})")
    ours = limits(each for each in measurements if each.dtype in op.dtypes)
    if ours:
        text = f"tuned: mpsops' kernel for {describe(ours)}, torch's for the rest"
    elif measurements:
        text = "tuned: torch's kernel, mpsops' is not faster"
    else:
        text = "tuned: torch's kernel, nothing was measured"
    if op.policy == "partial":
        return Decision(True, ours, f"{text}; what that refuses is mpsops'")
    return Decision(bool(ours), ours or None, text)
