"""Every kernel against the CPU: results, gradients and out=, within a time."""

import itertools
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field

import torch

import mpsops
from mpsops import OpRow, _opinfo

from . import opinfo, own_samples
from .compare import difference
from .sample import Sample, tensors

SECONDS = 45.0


@dataclass
class FamilyResult:
    """What the calls of one family came to.

    Attributes:
        family: stem of its files.
        samples: how many calls were compared.
        failures: one line for each that was wrong.
        not_reached: overloads that no call led to.
        complete: all samples were tried; the time was not up.
    """

    family: str
    samples: int = 0
    failures: list[str] = field(default_factory=list)
    not_reached: list[str] = field(default_factory=list)
    complete: bool = True


def to_test() -> dict[str, list[OpRow]]:
    """By family: all ops but those that torch has itself, or has not at all."""
    families: dict[str, list[OpRow]] = {}
    for row in mpsops.ops():
        if row.state in {"enabled", "disabled"}:
            families.setdefault(row.family, []).append(row)
    return families


def run(
    seconds: float = SECONDS,
    on_family: Callable[[FamilyResult], None] = lambda _: None,
    use_opinfo: bool | None = None,
) -> list[FamilyResult]:
    """Needs an MPS device. Ops that were disabled are so again afterwards.

    Args:
        seconds: for all; a family gets at most three times its share of what is left.
        on_family: called after each.
        use_opinfo: PyTorch's samples too; by default where they can be imported.
    """
    use_opinfo = _opinfo.available() if use_opinfo is None else use_opinfo
    families = to_test()
    results = []
    deadline = time.perf_counter() + seconds
    with mpsops.patched(*(row.name for rows in families.values() for row in rows)), torch.random.fork_rng([]):
        for number, (family, rows) in enumerate(families.items()):
            torch.manual_seed(0)
            now = time.perf_counter()
            share = min(deadline, now + 3 * (deadline - now) / (len(families) - number))
            samples = own_samples.samples(rows)
            if use_opinfo:
                samples = itertools.chain(opinfo.samples(rows), samples)
            with opinfo.callers_seed() if use_opinfo else nullcontext():
                results.append(_family(family, rows, samples, share))
            on_family(results[-1])
    return results


def _family(family: str, rows: list[OpRow], samples: Iterator[Sample], until: float) -> FamilyResult:
    result = FamilyResult(family)
    before = {row.name: row.calls for row in mpsops.ops()}
    try:
        with warnings.catch_warnings(action="ignore"):
            for sample in samples:
                result.failures += [f"{sample.label}: {problem}" for problem in _findings(sample)]
                result.samples += 1
                if time.perf_counter() > until:
                    result.complete = False
                    break
    except Exception as error:
        result.failures.append(f"no further samples: {type(error).__name__}: {error}")
    called = {row.name for row in mpsops.ops() if row.calls > before[row.name]}
    result.not_reached = [row.name for row in rows if row.name not in called]
    return result


def _findings(sample: Sample) -> Iterator[str]:
    """The problems; whatever a kernel raises is one too, and the next sample goes on."""
    try:
        yield from _problems(sample)
    except Exception as error:
        yield f"{type(error).__name__}: {str(error).splitlines()[0]}"


def _problems(sample: Sample) -> Iterator[str]:
    on_device = sample.map(lambda tensor: tensor.to("mps"))
    result = on_device.call()
    found = tensors(result)
    if _is_random(sample):
        return
    exactly = sample.map(lambda tensor: tensor.double() if tensor.is_floating_point() else tensor)
    cpu, exact = tensors(sample.call()), tensors(exactly.call())
    # Which of equal elements is the mode is up to the CPU's C++ library, and where gradients go with it.
    ties = sample.ties or (isinstance(result, tuple) and hasattr(result, "indices"))
    compared = slice(0, 1) if ties else slice(None)
    yield from _differences("", found[compared], cpu[compared], exact[compared])
    if sample.leaves() and not ties:
        each = zip((on_device, sample, exactly), (found, cpu, exact), strict=True)
        yield from _differences("gradient: ", *(_gradients(*pair) for pair in each))
    if sample.out:
        buffers = [torch.empty_like(each) for each in found]
        on_device.call_out(buffers)
        yield from _differences("out=: ", buffers[compared], cpu[compared], exact[compared])


def _differences(
    what: str, found: list[torch.Tensor], cpu: list[torch.Tensor], exact: list[torch.Tensor]
) -> Iterator[str]:
    if len(found) != len(cpu):
        yield f"{what}{len(found)} tensors instead of {len(cpu)}"
    for each in zip(found, cpu, exact, strict=False):
        if problem := difference(*each):
            yield what + problem


def _is_random(sample: Sample) -> bool:
    torch.manual_seed(1)
    first = tensors(sample.call())
    torch.manual_seed(2)
    return any(not torch.equal(a, b) for a, b in zip(first, tensors(sample.call()), strict=True))


def _gradients(sample: Sample, results: list[torch.Tensor]) -> list[torch.Tensor]:
    tracked = [result for result in results if result.requires_grad]
    if not tracked:
        return []
    ones = [torch.ones_like(result) for result in tracked]
    found = torch.autograd.grad(tracked, sample.leaves(), ones, allow_unused=True)
    return [gradient for gradient in found if gradient is not None]
