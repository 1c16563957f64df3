"""The command line: list, run, nvidia, contribute, report, compare, check."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import files, providers, runner, suites, terminal
from benchmarks.suites import Selection
from mpsops._harness import timing

app = typer.Typer(help=__doc__, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console()
WIDTH = 170  # of tables, also where the output goes to a file

Op = Annotated[list[str] | None, typer.Option("--op", help="Overload, op or family; * matches. Repeatable.")]
Size = Annotated[
    list[str] | None, typer.Option("--size", help="tiny, medium, large, odd, batch. Repeatable.")
]
Dtype = Annotated[list[str] | None, typer.Option("--dtype", help="By torch's name. Repeatable.")]
Suite = Annotated[
    str | None,
    typer.Option(
        "--suite", help="ops, models, pipelines, all. Default: ops; programs where --model names some."
    ),
]
Model = Annotated[
    list[str] | None, typer.Option("--model", help="Model or pipeline by name; * matches. Repeatable.")
]
Mode = Annotated[
    str | None, typer.Option("--mode", help="Of models and pipelines, comma-separated: infer, train.")
]
Scale = Annotated[
    str | None,
    typer.Option("--scale", help="Of models and pipelines: full, or small, the default on the simulator."),
]
Budget = Annotated[float, typer.Option("--budget", help="Seconds, after which the rest is skipped.")]
Json = Annotated[Path | None, typer.Option("--json", help="Results file; default: under benchmarks/results.")]
Quick = Annotated[bool, typer.Option("--quick", help="Few repetitions: whether it works, not how fast.")]


def chosen(selection: Selection) -> list[suites.Case]:
    try:
        found = suites.select(selection)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if not found:
        raise typer.BadParameter("no case is left")
    return found


def listed(text: str | None) -> list[str]:
    return text.split(",") if text else []


def measured(
    names: list[str], cases: list[suites.Case], plan: timing.Plan, budget: float, **options: Any
) -> Any:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=len(cases))

        def advance(done: int, total: int, row: dict[str, Any]) -> None:
            bar.update(task, completed=done, total=total, description=f"{row['provider']} {row['case']}")

        selected = [providers.PROVIDERS[name] for name in names]
        result = runner.run(selected, cases, plan, budget, progress=advance, **options)
    return files.rounded(result)


def saved(result: dict[str, Any], path: Path | None, suite: str) -> None:
    path = path or files.default_path(result, suite)
    files.write(result, path)
    console.print(f"written: {path}", soft_wrap=True)


@app.command("list")
def list_cases(
    *,
    suite: Suite = None,
    op: Op = None,
    size: Size = None,
    dtype: Dtype = None,
    model: Model = None,
    mode: Mode = None,
    scale: Scale = None,
) -> None:
    """Print the cases that a run would measure."""
    for case in chosen(Selection(suite, op, size, dtype, model, listed(mode), scale)):
        print(case.id)


@app.command()
def run(
    *,
    suite: Suite = None,
    op: Op = None,
    size: Size = None,
    dtype: Dtype = None,
    model: Model = None,
    mode: Mode = None,
    scale: Scale = None,
    provider: Annotated[
        str, typer.Option("--provider", help="Comma-separated: cpu, mps, mps_fallback, mpsops.")
    ] = "cpu,mps,mps_fallback,mpsops",
    budget: Budget = 600,
    quick: Quick = False,
    full: Annotated[bool, typer.Option("--full", help="More repetitions.")] = False,
    json: Json = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the order of the cases.")] = 0,
) -> None:
    """Measure by each provider, each in a fresh process, and write a results file."""
    names = provider.split(",")
    known = [name for name, each in providers.PROVIDERS.items() if not each.contestants]
    if unknown := [name for name in names if name not in known]:
        raise typer.BadParameter(f"provider: must be of {', '.join(known)}, got {', '.join(unknown)}")
    plan = timing.QUICK if quick else timing.FULL if full else timing.Plan()
    wanted = Selection(suite, op, size, dtype, model, listed(mode), scale)
    result = measured(names, chosen(wanted), plan, budget, seed=seed)
    wide = Console(width=max(console.width, WIDTH))
    wide.print(terminal.run_table(result["rows"]))
    terminal.print_failures(result["rows"], console)
    saved(result, json, wanted.title)


@app.command()
def nvidia(
    *,
    op: Op = None,
    size: Size = None,
    dtype: Dtype = None,
    budget: Budget = 400,
    quick: Quick = False,
    full: Annotated[bool, typer.Option("--full", help="More repetitions.")] = False,
    json: Json = None,
    rehearse: Annotated[
        bool,
        typer.Option("--rehearse", help="On the mps device instead: whether the code works, no figures."),
    ] = False,
) -> None:
    """Measure mpsops' kernels against PyTorch's CUDA kernels, in turns in one process, on an NVIDIA GPU."""
    provider = providers.PROVIDERS["rehearsal" if rehearse else "nvidia"]
    plan = timing.QUICK if quick else timing.FULL if full else timing.Plan()
    result = measured([provider.name], chosen(Selection("ops", op, size, dtype)), plan, budget)
    wide = Console(width=max(console.width, WIDTH))
    terminal.print_pairs(result, *provider.contestants, wide)
    saved(result, json, provider.name)


@app.command()
def report(
    sources: Annotated[
        list[Path] | None, typer.Argument(help="Results files; default: all committed, into docs.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the reports.")] = None,
) -> None:
    """Write CSV, Markdown and pictures from results files, and a page that lists them."""
    from benchmarks import report as reports

    folder = out or (Path("build/benchmarks") if sources else files.DOCUMENTS)
    for path in reports.write(sources or files.committed(), folder):
        console.print(f"written: {path}", soft_wrap=True)


@app.command()
def contribute(
    *,
    suite: Annotated[
        str | None,
        typer.Option("--suite", help="ops, models, pipelines, all. Default: all."),
    ] = None,
    op: Op = None,
    size: Size = None,
    dtype: Dtype = None,
    model: Model = None,
    mode: Mode = None,
    scale: Scale = None,
    budget: Budget = 7200,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Few repetitions, whatever the machine's state; into build.")
    ] = False,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Measure though the machine is not fit; the file says so.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Of the order of the cases.")] = 0,
) -> None:
    """Measure this machine for the repository: is it fit, the run, is the file right, what comes next."""
    from benchmarks import checking, contributing, environment, preflight
    from mpsops import _C

    checking.validator()  # what it needs is missed before hours of measuring
    found = list(preflight.findings(environment.record(), simulated=_C.runtime == "sim"))
    for finding in found:
        console.print(f"{'not fit' if finding.refused else 'note'}: {finding.text}", soft_wrap=True)
    if any(finding.refused for finding in found) and not (anyway or dry_run):
        console.print("nothing was measured; --anyway measures nevertheless, and the file says so")
        raise typer.Exit(1)
    names = [name for name, each in providers.PROVIDERS.items() if not each.contestants]
    plan = timing.QUICK if dry_run else timing.Plan()
    suite = suite or (None if op or model else "all")
    wanted = Selection(suite, op, size, dtype, model, listed(mode), scale)
    result = measured(names, chosen(wanted), plan, budget, seed=seed)
    result["env"]["preflight"] = [finding.text for finding in found]
    console.print(terminal.status_counts(result["rows"]), soft_wrap=True)
    path = contributing.path_for(result, wanted.title, dry_run)
    saved(result, path, wanted.title)
    wrong = list(contributing.problems(path))
    for problem in wrong:
        console.print(f"{path}: {problem}", soft_wrap=True)
    if wrong:
        console.print("the file cannot be handed in as it is")
        raise typer.Exit(1)
    console.print(contributing.next_steps(path, dry_run), soft_wrap=True)


@app.command()
def compare(
    old: Path,
    new: Path,
    fail_above: Annotated[
        float, typer.Option("--fail-above", help="Exit with 1 if a case takes this many times as long.")
    ] = 1.15,
) -> None:
    """Tell what became slower from one run to another on the same machine."""
    from benchmarks import comparing

    try:
        comparison = comparing.compare(files.load(old), files.load(new))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    for warning in comparison.warnings:
        console.print(f"note: {warning}", soft_wrap=True)
    found, count = comparison.regressions(fail_above), len(comparison.changes)
    for each in found:
        factor = each.note if each.factor is None else f"{each.factor:.2f} times as long"
        console.print(f"{each.case} by {each.provider}: {factor}", soft_wrap=True)
    console.print(
        f"{len(found)} of {count} cases are slower by more than {fail_above}, "
        f"{comparison.improvements(fail_above)} faster; {len(comparison.missing)} are not in the new run",
        soft_wrap=True,
    )
    if count == 0:
        console.print("the files have no case in common that both measured")
    raise typer.Exit(1 if found or count == 0 else 0)


@app.command()
def check(
    paths: Annotated[list[Path] | None, typer.Argument(help="Results files; default: all committed.")] = None,
) -> None:
    """Check results files against benchmarks/schema.json."""
    from benchmarks import checking

    paths = paths or files.committed()
    failed = False
    for path in paths:
        for problem in checking.problems(path):
            console.print(f"{path}: {problem}", soft_wrap=True)
            failed = True
    console.print(f"{len(paths)} files checked")
    raise typer.Exit(1 if failed else 0)
