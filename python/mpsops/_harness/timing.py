"""The timing contract: what is measured of a call, in which order, and what of it is reported.

The first call is timed apart. Warm-up ends when two medians agree. Then contestants take turns, round by
round, so that a change of clock or load meets all of them: synchronised latency, throughput in blocks with
one wait at the end, and the device's own time. A contestant is a way to run a call: mpsops' kernel, torch's.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from statistics import median, quantiles

from .clocks import Clock, waited_seconds, wall_seconds

AGREEMENT = 0.05


@dataclass(frozen=True)
class Plan:
    """How much is measured. Times in seconds.

    Attributes:
        rounds: that contestants take turns for.
        latencies: synchronised calls in a round.
        block: of the calls that are enqueued between two waits.
        longest: of what is spent on one contestant; slow calls are made less often.
        calls: in a block at most.
        longest_program: as ``longest``, of a model or a pipeline.
    """

    rounds: int = 5
    latencies: int = 5
    block: float = 0.004
    longest: float = 1.0
    calls: int = 200
    longest_program: float = 20.0

    def of_program(self) -> "Plan":
        """For calls that may take seconds each."""
        return replace(self, longest=self.longest_program)


QUICK = Plan(rounds=3, latencies=2, block=0.001, longest=0.2, calls=50, longest_program=1.0)
FULL = Plan(rounds=5, latencies=4, block=0.02, longest=2.0, longest_program=60.0)


@dataclass(frozen=True)
class Contestant:
    """Attributes: ``select`` makes ``call`` run its way, until another contestant is selected."""

    name: str
    call: Callable[[], object]
    select: Callable[[], None] = lambda: None


@dataclass
class Samples:
    """Seconds for one call."""

    first: float = 0.0
    latency: list[float] = field(default_factory=list)
    throughput: list[float] = field(default_factory=list)
    device: list[float] = field(default_factory=list)
    host: list[float] = field(default_factory=list)
    block: int = 1
    latencies: int = 1  # in a round


def warm_up(clock: Clock, call: Callable[[], object], longest: float) -> float:
    """Calls until two medians of three agree; the last of them, in seconds."""
    spent, previous = 0.0, float("inf")
    while True:
        times: list[float] = []
        while len(times) < 3 and spent <= longest:
            times.append(waited_seconds(clock, call))
            spent += times[-1]
        current = median(times) if times else previous
        if abs(current - previous) <= AGREEMENT * current or spent > longest:
            return current
        previous = current


def _round(clock: Clock, contestant: Contestant, samples: Samples) -> None:
    call = contestant.call

    def enqueue() -> None:
        for _ in range(samples.block):
            call()

    contestant.select()
    waited_seconds(clock, call)  # what selecting costs the next call is not the op's
    samples.latency += [waited_seconds(clock, call) for _ in range(samples.latencies)]
    host = wall_seconds(clock, enqueue)
    total = host + wall_seconds(clock, clock.synchronize)
    samples.host.append(host / samples.block)
    samples.throughput.append(total / samples.block)
    device = clock.device_seconds(enqueue, 1.5 * host)
    if device is not None:
        samples.device.append(device / samples.block)


def measure(clock: Clock, contestants: Iterable[Contestant], plan: Plan) -> dict[str, Samples]:
    """Times every contestant; whatever a call raises, passes through."""
    contestants = list(contestants)
    found = {each.name: Samples() for each in contestants}
    cost = {}
    for each in contestants:
        samples = found[each.name]
        each.select()
        clock.synchronize()
        samples.first = waited_seconds(clock, each.call)
        estimate = warm_up(clock, each.call, plan.longest / 4)
        samples.block = max(1, min(plan.calls, int(plan.block / estimate)))
        samples.latencies = max(1, min(plan.latencies, int(plan.longest / 4 / estimate)))
        cost[each.name] = estimate * (samples.latencies + 1 + 2 * samples.block)
    affordable = int(plan.longest * len(contestants) / max(sum(cost.values()), 1e-9))
    for _ in range(max(1, min(plan.rounds, affordable))):
        for each in contestants:
            _round(clock, each, found[each.name])
    return found


def quartiles(values: list[float]) -> tuple[float, float, float]:
    if len(values) == 1:
        return values[0], values[0], values[0]
    first, middle, third = quantiles(values, n=4, method="inclusive")
    return first, middle, third


def as_row(samples: Samples) -> dict[str, float | int | None]:
    """The columns of a result; milliseconds, but for the host's microseconds."""
    q1, middle, q3 = (1e3 * value for value in quartiles(samples.latency))
    row: dict[str, float | int | None] = {
        "first_ms": 1e3 * samples.first,
        "lat_ms": middle,
        "lat_q1_ms": q1,
        "lat_q3_ms": q3,
        "lat_min_ms": 1e3 * min(samples.latency),
        "thr_ms": 1e3 * median(samples.throughput),
        "host_us": 1e6 * median(samples.host),
        "reps": len(samples.latency),
        "block": samples.block,
        "gpu_ms": None,
        "gpu_q1_ms": None,
        "gpu_q3_ms": None,
    }
    if samples.device:
        row["gpu_q1_ms"], row["gpu_ms"], row["gpu_q3_ms"] = (
            1e3 * value for value in quartiles(samples.device)
        )
    return row
