"""One contest between mpsops' kernel and torch's, and what it came to."""

from dataclasses import dataclass
from typing import Literal, get_args

Verdict = Literal["faster", "slower", "undecided", "wrong", "failed", "torch wrong", "torch refuses"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

# First quartile, median, third quartile: microseconds of one call.
Quartiles = tuple[float, float, float]


@dataclass(frozen=True)
class Measurement:
    """A call of an overload, in one dtype and one size.

    Attributes:
        op: the overload, ``aten::_adaptive_avg_pool2d``.
        dtype: of its first tensor, by torch's name.
        size: ``tiny``, ``medium``, ``large``.
        elements: of its largest tensor.
        verdict: on mpsops' kernel. ``faster`` and ``slower`` where the quartiles do not overlap, else
            ``undecided``; ``wrong`` and ``failed``: never used; ``torch wrong``: torch's result is;
            ``torch refuses``: torch's kernel raises.
        note: what is wrong.
        ours: times of mpsops' kernel, where both were timed.
        torchs: times of torch's.
    """

    op: str
    dtype: str
    size: str
    elements: int
    verdict: Verdict
    note: str = ""
    ours: Quartiles | None = None
    torchs: Quartiles | None = None

    @property
    def case(self) -> tuple[str, str, str]:
        return self.op, self.dtype, self.size

    @property
    def won(self) -> bool:
        return self.verdict in {"faster", "torch wrong"}

    @property
    def rules_out(self) -> bool:
        return self.verdict in {"wrong", "failed"}

    @property
    def factor(self) -> float | None:
        """How many times faster mpsops' kernel is."""
        return self.torchs[1] / self.ours[1] if self.ours and self.torchs else None


def verdict_on_times(ours: Quartiles, torchs: Quartiles) -> Verdict:
    """Noise decides for torch: only quartiles that do not overlap say that one is faster."""
    if ours[2] < torchs[0]:
        return "faster"
    return "slower" if torchs[2] < ours[0] else "undecided"
