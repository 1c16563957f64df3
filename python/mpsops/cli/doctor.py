"""``mpsops doctor``: whether mpsops can work here, and does."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from mpsops import _opinfo
from mpsops._doctor import checks, selftest
from mpsops._doctor.check import Check
from mpsops._doctor.selftest import FamilyResult
from mpsops._patching import has_mps

from . import _output
from ._options import Json, Simulator

EXIT_STATUS = (
    "Exit status: 0 if all is well, warnings included; 1 if something fails; 2 if there is no MPS device, "
    "so that the kernels could not be tested."
)
SHOWN = 5


def _print(check: Check) -> None:
    if not sys.stdout.isatty():
        print(f"{check.status:4}  {check.name:11}  {check.found}")
        if check.advice:
            print(f"{'':4}  {'':11}  -> {check.advice}")
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=4)
    grid.add_column(width=11)
    grid.add_column(overflow="fold")
    grid.add_row(
        Text(check.status, _output.STYLES[check.status]), Text(check.name, "bold"), Text(check.found)
    )
    if check.advice:
        grid.add_row("", "", Text(f"-> {check.advice}", "yellow"))
    Console(highlight=False).print(grid)


@contextmanager
def _progress(families: int) -> Iterator[Callable[[FamilyResult], None]]:
    console = Console(stderr=True)
    columns = (
        TextColumn("kernels against the CPU"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=families)
        yield lambda result: bar.update(task, advance=1, description=result.family)


def _kernel_checks(results: list[FamilyResult], seconds: float, source: str) -> list[Check]:
    """One line if all is well, one for each family that fails."""
    failed = [result for result in results if result.failures]
    found = []
    for result in failed:
        more = len(result.failures) - SHOWN
        lines = result.failures[:SHOWN] + ([f"and {more} more"] if more > 0 else [])
        advice = f"mpsops.disable('{result.family}') gives torch's behaviour back; {checks.REPORT}"
        found.append(Check("kernel", "fail", f"{result.family}: {'; '.join(lines)}", advice))
    if untried := [result.family for result in results if not result.samples and not result.failures]:
        found.append(
            Check("kernel", "warn", f"no sample for {', '.join(untried)}: not tested", checks.REPORT)
        )
    samples = sum(result.samples for result in results)
    good = len(results) - len(failed) - len(untried)
    text = (
        f"{good} of {len(results)} families agree with the CPU: {samples} calls in {seconds:.0f} s, {source}"
    )
    if any(not result.complete for result in results):
        text += "; not all samples, for lack of time"
    not_reached = sum(len(result.not_reached) for result in results)
    if not_reached:
        text += f"; {not_reached} overloads are not reached by any (--json names them)"
    found.append(Check("kernels", "fail" if failed else "ok", text))
    return found


def doctor(
    seconds: Annotated[
        float, typer.Option(min=1, help="How long kernels are tested, at most.")
    ] = selftest.SECONDS,
    as_json: Json = False,
    with_simulator: Simulator = False,
) -> None:
    """Check that mpsops works here: machine, torch, environment, device, and every kernel against the CPU.

    Takes less than a minute. The samples are those of PyTorch's own test suite where its packages are
    installed (expecttest, hypothesis), else simpler ones made from the ops' schemas.
    """
    found = []
    for check in checks.before_kernels():
        found.append(check)
        if not as_json:
            _print(check)
    results: list[FamilyResult] = []
    if has_mps():
        begin = time.perf_counter()
        use_opinfo = _opinfo.available()
        source = "samples of PyTorch's test suite and simpler ones" if use_opinfo else "simple samples"
        with _progress(len(selftest.to_test())) as on_family:
            results = selftest.run(seconds, on_family, use_opinfo)
        for check in _kernel_checks(results, time.perf_counter() - begin, source):
            found.append(check)
            if not as_json:
                _print(check)
    elif not as_json:
        _output.note("The kernels were not tested: there is no MPS device.")
    if as_json:
        _output.print_json(
            {"checks": [asdict(check) for check in found], "kernels": [asdict(result) for result in results]}
        )
    if not has_mps():
        raise typer.Exit(2)
    if any(check.status == "fail" for check in found):
        raise typer.Exit(1)
