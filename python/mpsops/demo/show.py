"""What the demo prints."""

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

import mpsops
from mpsops.demo import program, stock

EXCERPT = (program.enlarge, program.crowding, program.objective, program.classify)


class Show:
    """The demo's steps on a terminal, or as plain text where there is none."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.steps = 0

    def step(self, title: str) -> None:
        self.steps += 1
        self.console.print()
        self.console.print(f"[bold cyan]{self.steps}[/]  [bold]{title}[/]")

    def verdict(self, good: bool, text: str) -> None:
        self.console.print(
            Text.assemble(("ok", "bold green") if good else ("FAILED", "bold red"), "  ", text)
        )

    def note(self, text: str) -> None:
        self.console.print(text, style="dim")

    def opening(self, device: str) -> None:
        text = f"[bold]mpsops {mpsops.__version__}[/], torch {torch.__version__}, running on {device}."
        if sys.platform != "darwin":
            text += "\n[dim]How long anything takes here says nothing about a Mac.[/]"
        self.console.print(Panel(text, border_style="cyan"))

    def source(self) -> None:
        code = "\n\n".join(inspect.getsource(function).strip() for function in EXCERPT)
        self.console.print(Syntax(code, "python", theme="ansi_dark", background_color="default"))

    def failure(self, failure: stock.Failure) -> None:
        text = Text()
        for number, line in failure.lines:
            text.append(f"{stock.PROGRAM.name}:{number:<4}", style="dim").append(f"{line}\n")
        text.append(f"{failure.kind}: ", style="bold red").append(failure.text)
        self.console.print(Panel(text, border_style="red"))

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Callable[[int, float], None]]:
        """A bar in a terminal; elsewhere, and in a picture, a line for every fifth of the way."""
        if not self.console.is_terminal or self.console.record:
            marks = {total * fifth // 5 for fifth in range(1, 6)}

            def write(step: int, loss: float) -> None:
                if step in marks:
                    self.console.print(f"{title}: step {step}/{total}, loss {loss:.4f}")

            yield write
            return
        columns = (
            TextColumn(title),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}"),
        )
        with Progress(*columns, console=self.console) as bar:
            task = bar.add_task(title, total=total, loss="")
            yield lambda step, loss: bar.update(task, completed=step, loss=f"loss {loss:.4f}")

    def losses(self, cpu: list[float], mps: list[float]) -> None:
        table = Table("step", "loss on the CPU", "loss on mps", "difference", box=None, header_style="dim")
        for step in sorted({0, 1, 2, len(cpu) // 2, len(cpu) - 1}):
            table.add_row(
                str(step + 1), f"{cpu[step]:.7f}", f"{mps[step]:.7f}", f"{abs(mps[step] - cpu[step]):.1e}"
            )
        self.console.print(table)

    def ops(self, rows: list[mpsops.OpRow], outcomes: dict[str, stock.Failure | None]) -> None:
        table = Table(header_style="bold", border_style="dim")
        table.add_column("op", style="cyan", no_wrap=True)
        table.add_column("stock torch", min_width=20)
        table.add_column("mpsops", no_wrap=True)
        table.add_column("calls", justify="right")
        table.add_column("dispatches", justify="right")
        for row in rows:
            failure = outcomes.get(row.name)
            table.add_row(
                row.name.removeprefix("aten::"),
                _short(failure) if failure else Text("runs this call"),
                f"{'adds' if row.policy == 'missing' else 'replaces'} {row.family}",
                f"{row.calls:,}",
                f"{row.dispatches:,}",
            )
        self.console.print(table)


def _short(failure: stock.Failure) -> Text:
    """The class of the error, and its first sentence unless that only names the op."""
    sentence = failure.text.splitlines()[0].split(". ")[0]
    if "not currently implemented for the MPS device" in sentence:
        return Text(failure.kind, "red")
    return Text.assemble((failure.kind, "red"), f": {sentence}")
