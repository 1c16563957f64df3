"""``mpsops tune``: mpsops' kernels against torch's own, on this machine."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from mpsops import _C
from mpsops._harness.cases import Case
from mpsops._harness.clocks import Clock, MpsClock
from mpsops._patching import has_mps
from mpsops._tuning import contest, decision, setup, store
from mpsops._tuning.measurement import Measurement, Quartiles
from mpsops._tuning.run import Outcome, run

from . import _output
from ._options import Json, Simulator, matches

EXIT_STATUS = (
    "Exit status: 0; 1 if a kernel of mpsops is wrong here, or nothing is there to measure or to show; "
    "2 if there is no MPS device; 130 if it was interrupted."
)
INTERRUPTED = 130
COLUMNS = ("op", "verdict", "dtype", "size", "elements>", "mpsops us>", "torch us>", "times as fast>", "note")


def _fail(text: str, status: int) -> typer.Exit:
    _output.error(text)
    return typer.Exit(status)


def _chosen(patterns: list[str] | None, dtypes: list[str] | None, sizes: list[str] | None) -> list[Case]:
    ops = contest.candidates()
    if not ops:
        raise _fail("nothing to measure: with this torch, no op has both torch's kernel and mpsops'", 1)
    selected = [op for op in ops if matches(op.name, patterns) or (patterns and op.family in patterns)]
    for pattern in patterns or ():
        if not any(matches(op.name, [pattern]) or op.family == pattern for op in ops):
            known = ", ".join(dict.fromkeys(op.family for op in ops))
            raise typer.BadParameter(
                f"must name an op that torch and mpsops both have (families: {known}), got {pattern}",
                param_hint="--op",
            )
    known_dtypes = list(dict.fromkeys(dtype for op in selected for dtype in op.dtypes))
    for dtype in dtypes or ():
        if dtype not in known_dtypes:
            raise typer.BadParameter(
                f"must be one of {', '.join(known_dtypes)}, got {dtype}", param_hint="--dtype"
            )
    for size in sizes or ():
        if size not in contest.SIZES:
            raise typer.BadParameter(
                f"must be one of {', '.join(contest.SIZES)}, got {size}", param_hint="--size"
            )
    return contest.cases(selected, dtypes or (), sizes or contest.SIZES)


def _time(quartiles: Quartiles | None) -> str:
    return "" if quartiles is None else f"{quartiles[1]:.1f}"


def _line(each: Measurement) -> tuple[object, ...]:
    factor = "" if each.factor is None else f"{each.factor:.2f}"
    times = (_time(each.ours), _time(each.torchs), factor)
    name = each.op.removeprefix("aten::")
    return name, each.verdict, each.dtype, each.size, each.elements, *times, each.note


def _decisions(tuning: store.Tuning) -> list[tuple[object, ...]]:
    lines: list[tuple[object, ...]] = []
    for op in contest.candidates():
        choice = decision.decide(op, tuning.of(op.name))
        lines.append((op.name.removeprefix("aten::"), choice.kernel, choice.reason.removeprefix("tuned: ")))
    return lines


def _print_all(tuning: store.Tuning, shown: Sequence[Measurement]) -> None:
    _output.print_rows(COLUMNS, [_line(each) for each in shown], header=True)
    print()
    _output.print_rows(("op", "kernel", "why"), _decisions(tuning), header=True)
    if _C.runtime == "sim":
        _output.note("The device is simulated: these are times of the simulator, not of a Mac.")


def _show(here: setup.Setup, as_json: bool) -> None:
    try:
        tuning = store.load(here)
    except store.UnusableError as error:
        raise _fail(str(error), 1) from error
    if as_json:
        _output.print_json(tuning.as_json())
        return
    _print_all(tuning, tuning.measurements)
    _output.note(f"Measured until {tuning.measured} on {tuning.setup}: {store.path_of(here)}")


def _clear(here: setup.Setup) -> None:
    path = store.path_of(here)
    try:
        path.unlink()
    except FileNotFoundError:
        raise _fail("there is no tuning of this machine with these versions", 1) from None
    except OSError as error:
        raise _fail(f"cannot remove {path}: {error.strerror}", 2) from error
    _output.note(f"Removed {path}.")


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int, Case], None]]:
    console = Console(stderr=True)
    text = TextColumn("mpsops against torch"), TextColumn("{task.description}")
    columns = (text[0], BarColumn(), MofNCompleteColumn(), text[1])
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda done, case: bar.update(
            task, completed=done, description=f"{case.name.removeprefix('aten::')} {case.dtype} {case.size}"
        )


def _start(here: setup.Setup) -> store.Tuning:
    try:
        return store.load(here)
    except store.UnusableError as error:
        if store.path_of(here).exists():
            _output.note(f"{str(error).removesuffix(f': {store.AGAIN}')}: it is replaced.")
        return store.Tuning(here)


def _report(outcome: Outcome, seconds: float) -> None:
    _print_all(outcome.tuning, outcome.new)
    for text in outcome.not_measured:
        _output.note(f"Not measured: {text}.")
    if outcome.left:
        _output.note(f"{seconds:.0f} seconds were not enough for {outcome.left} more cases: see --budget.")
    if outcome.interrupted:
        _output.note("Interrupted: what was measured until then is kept.")
    if outcome.new:
        counts = Counter(each.verdict for each in outcome.new)
        text = ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
        _output.note(f"{len(outcome.new)} cases: {text}. Written: {store.path_of(outcome.tuning.setup)}")
        _output.note('Programs use it with mpsops.enable("tuned"), or MPSOPS_AUTOPATCH=tuned.')


def _warn_of_wrong_kernels(outcome: Outcome) -> None:
    for each in outcome.new:
        if each.rules_out:
            _output.error(
                f"{each.op}, {each.dtype}, {each.size}: mpsops' kernel is {each.verdict}: {each.note}. "
                "It will not be used here; please report it, with the output of `mpsops info`"
            )


def tune(
    context: typer.Context,
    *,
    op: Annotated[
        list[str] | None,
        typer.Option(
            "--op", metavar="PATTERN", help="Only ops of this name or family; * matches. Repeatable."
        ),
    ] = None,
    dtype: Annotated[
        list[str] | None,
        typer.Option("--dtype", help="Only this dtype, by torch's name. Repeatable."),
    ] = None,
    size: Annotated[
        list[str] | None, typer.Option("--size", help="Only tiny, medium or large. Repeatable.")
    ] = None,
    budget: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="After which no further case is begun.")
    ] = 120.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be measured.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Only print what was measured before.")] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Only remove what was measured before.")] = False,
    as_json: Json = False,
    with_simulator: Simulator = False,
) -> None:
    """Measure which of mpsops' kernels are faster than torch's own on this machine.

    Ops that torch lacks on MPS need mpsops in any case, and are not measured. For ops that both have, each
    dtype is measured in three sizes: tiny, medium and large. The result is compared with the CPU's first, and
    a kernel that is wrong is never used. All goes to a small file, for this machine with these versions of
    macOS, torch and mpsops. A program uses it with `mpsops.enable("tuned")` or `MPSOPS_AUTOPATCH=tuned`.

    Best on mains, with nothing else running. Ctrl-C keeps what was measured.
    """
    given = [name for name, on in (("--dry-run", dry_run), ("--show", show), ("--clear", clear)) if on]
    if len(given) > 1:
        raise typer.BadParameter(f"only one of them: {', '.join(given)}")
    if not has_mps():
        raise _fail("there is no MPS device to measure on (on Linux, --simulator makes one)", 2)
    here = setup.this_setup()
    if show:
        _show(here, as_json)
        return
    if clear:
        _clear(here)
        return
    cases = _chosen(op, dtype, size)
    if dry_run:
        if as_json:
            _output.print_json([asdict(case) for case in cases])
        else:
            _output.print_rows(
                ("op", "dtype", "size"), [(case.name, case.dtype, case.size) for case in cases]
            )
        return
    # Tests bring a clock of their own.
    clock: Clock = context.obj or MpsClock(simulated=_C.runtime == "sim")
    try:
        with _progress(len(cases)) as on_case:
            outcome = run(cases, clock, budget, _start(here), on_case=on_case)
    except OSError as error:
        path = store.path_of(here)
        raise _fail(f"cannot write {path}: {error.strerror}; set MPSOPS_CACHE_DIR", 2) from error
    if as_json:
        _output.print_json(outcome.tuning.as_json())
    else:
        _report(outcome, budget)
    _warn_of_wrong_kernels(outcome)
    if outcome.interrupted:
        raise typer.Exit(INTERRUPTED)
    if any(each.rules_out for each in outcome.new) or not outcome.new:
        raise typer.Exit(1)
