"""Case after case, each on disk before the next begins."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mpsops._harness import timing
from mpsops._harness.cases import Case
from mpsops._harness.clocks import Clock

from . import contest, store
from .measurement import Measurement


@dataclass
class Outcome:
    """What a run came to.

    Attributes:
        tuning: old measurements with the new ones; as it is on disk, if there are new ones.
        new: of this run.
        not_measured: ``case: why``.
        left: how many cases there was no time for.
        interrupted: by Ctrl-C.
    """

    tuning: store.Tuning
    new: list[Measurement] = field(default_factory=list)
    not_measured: list[str] = field(default_factory=list)
    left: int = 0
    interrupted: bool = False

    def measure(self, case: Case, clock: Clock, plan: timing.Plan) -> None:
        try:
            measurement = contest.measure(case, clock, plan)
        except contest.NotMeasuredError as error:
            self.not_measured.append(f"{case.id.removeprefix('aten::')}: {error}")
            return
        self.tuning = self.tuning.with_([measurement])
        store.save(self.tuning)
        self.new.append(measurement)


def run(
    cases: Sequence[Case],
    clock: Clock,
    seconds: float,
    tuning: store.Tuning,
    *,
    on_case: Callable[[int, Case], None] = lambda done, case: None,
    plan: timing.Plan = contest.PLAN,
) -> Outcome:
    """No case begins after `seconds`. Raises OSError where the file cannot be written."""
    outcome = Outcome(tuning)
    until = clock.now() + seconds
    try:
        for number, case in enumerate(cases):
            if clock.now() > until:
                outcome.left = len(cases) - number
                break
            on_case(number, case)
            outcome.measure(case, clock, plan)
    except KeyboardInterrupt:
        outcome.interrupted = True
    return outcome
