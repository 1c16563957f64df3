"""The command line: list, run, nvidia, report, compare, check."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import cases as grid
from benchmarks import files, providers, runner, terminal, timing

app = typer.Typer(help=__doc__, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console()
WIDTH = 170  # of tables, also where the output goes to a file

Op = Annotated[list[str] | None, typer.Option("--op", help="Overload, op or family; * matches. Repeatable.")]
Size = Annotated[
    list[str] | None, typer.Option("--size", help="tiny, medium, large, odd, batch. Repeatable.")
]
Dtype = Annotated[list[str] | None, typer.Option("--dtype", help="By torch's name. Repeatable.")]
Budget = Annotated[float, typer.Option("--budget", help="Seconds, after which the rest is skipped.")]
Json = Annotated[Path | None, typer.Option("--json", help="Results file; default: under benchmarks/results.")]
Quick = Annotated[bool, typer.Option("--quick", help="Few repetitions: whether it works, not how fast.")]


def chosen(op: list[str] | None, size: list[str] | None, dtype: list[str] | None) -> list[grid.Case]:
    try:
        found = grid.select(op or [], size, dtype)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if not found:
        raise typer.BadParameter("no case is left")
    return found


def measured(
    names: list[str], cases: list[grid.Case], plan: timing.Plan, budget: float, **options: Any
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
def list_cases(op: Op = None, size: Size = None, dtype: Dtype = None) -> None:
    """Print the cases that a run would measure."""
    for case in chosen(op, size, dtype):
        print(case.id)


@app.command()
def run(
    *,
    op: Op = None,
    size: Size = None,
    dtype: Dtype = None,
    provider: Annotated[
        str, typer.Option("--provider", help="Comma-separated: cpu, mps, mps_fallback, mpsops.")
    ] = "cpu,mps,mps_fallback,mpsops",
    budget: Budget = 600,
    quick: Quick = False,
    full: Annotated[bool, typer.Option("--full", help="More repetitions.")] = False,
    json: Json = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the order of the cases.")] = 0,
) -> None:
    """Measure ops by each provider, each in a fresh process, and write a results file."""
    names = provider.split(",")
    known = [name for name, each in providers.PROVIDERS.items() if not each.contestants]
    if unknown := [name for name in names if name not in known]:
        raise typer.BadParameter(f"provider: must be of {', '.join(known)}, got {', '.join(unknown)}")
    plan = timing.QUICK if quick else timing.FULL if full else timing.Plan()
    result = measured(names, chosen(op, size, dtype), plan, budget, seed=seed)
    wide = Console(width=max(console.width, WIDTH))
    wide.print(terminal.run_table(result["rows"]))
    terminal.print_failures(result["rows"], console)
    saved(result, json, "ops")


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
    result = measured([provider.name], chosen(op, size, dtype), plan, budget)
    wide = Console(width=max(console.width, WIDTH))
    terminal.print_pairs(result, *provider.contestants, wide)
    saved(result, json, provider.name)


@app.command()
def report(
    sources: Annotated[list[Path], typer.Argument(help="Results files.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the reports.")] = Path("build/benchmarks"),
) -> None:
    """Write CSV, Markdown and pictures from results files."""
    from benchmarks import report as reports

    for source in sources:
        for path in reports.write(source, out):
            console.print(f"written: {path}", soft_wrap=True)


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

    before, after = files.load(old), files.load(new)
    count = sum(1 for _ in comparing.changes(before, after))
    found = comparing.regressions(before, after, fail_above)
    for each in found:
        factor = each.note if each.factor is None else f"{each.factor:.2f} times as long"
        console.print(f"{each.case} by {each.provider}: {factor}", soft_wrap=True)
    console.print(f"{len(found)} of {count} cases are slower by more than {fail_above}")
    if count == 0:
        console.print("the files have no case in common that both measured")
    raise typer.Exit(1 if found or count == 0 else 0)


@app.command()
def check(
    paths: Annotated[list[Path] | None, typer.Argument(help="Results files; default: all committed.")] = None,
) -> None:
    """Check results files against benchmarks/schema.json."""
    from benchmarks import checking

    paths = paths or sorted(files.RESULTS.rglob("*.json"))
    failed = False
    for path in paths:
        for problem in checking.problems(path):
            console.print(f"{path}: {problem}", soft_wrap=True)
            failed = True
    console.print(f"{len(paths)} files checked")
    raise typer.Exit(1 if failed else 0)
