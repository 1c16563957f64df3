"""``mpsops check``: whether Apple's compiler takes a kernel source."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from mpsops.msl import CompileError
from mpsops.msl._rules import SPECIFICATION
from mpsops.msl.strict import PEDANTIC, RULES, VERSIONS, Finding, check_file, source_line

from . import _output
from ._options import Json

EXIT_STATUS = "Exit status: 0 if nothing is found, 1 if something is."


def _files(paths: Iterable[Path]) -> list[Path]:
    """Files as they are, and the kernel sources of folders."""
    files: dict[Path, None] = {}
    for path in paths:
        files.update(dict.fromkeys(sorted(path.rglob("*.metal")) if path.is_dir() else [path]))
    return list(files)


def _one_of(known: Iterable[str], option: str, names: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            listed = ", ".join(sorted(known))
            raise typer.BadParameter(f"must be one of {listed}, got {name}", param_hint=option)


def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE",
            exists=True,
            readable=True,
            help="Sources or headers; of a folder, every .metal file below.",
        ),
    ] = None,
    *,
    include: Annotated[
        list[Path] | None,
        typer.Option(
            "-I", metavar="FOLDER", exists=True, file_okay=False, help="Where headers are, besides torch's."
        ),
    ] = None,
    defines: Annotated[
        list[str] | None, typer.Option("-D", metavar="NAME[=VALUE]", help="A macro to define.")
    ] = None,
    msl: Annotated[
        str,
        typer.Option(
            metavar="VERSION",
            help="Of Metal: 3.1 is that of macOS 14, 3.2 of 15, 4.0 of 26.",
        ),
    ] = "3.1",
    ignore: Annotated[list[str] | None, typer.Option(metavar="RULE", help="A rule not to report.")] = None,
    pedantic: Annotated[
        bool, typer.Option("--pedantic", help="Also what Apple's compiler only warns about.")
    ] = False,
    list_rules: Annotated[bool, typer.Option("--list-rules", help="Print the rules, and exit.")] = False,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save what was printed as a picture.", dir_okay=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Find what Apple's Metal compiler rejects in kernel sources, without a Mac.

    Address spaces are checked as types, and the rules of the Metal Shading Language Specification that C++
    does not have. Needs clang 18 or newer, or the package `ziglang`.
    """
    if list_rules:
        _list_rules(as_json)
        return
    _one_of(VERSIONS, "--msl", [msl])
    _one_of(RULES, "--ignore", ignore or [])
    files = _files(paths or [])
    if not files:
        raise typer.BadParameter("no kernel source to check", param_hint="FILE")
    ignored = {*(ignore or []), *(() if pedantic else PEDANTIC)}
    checked = partial(check_file, include=include or [], defines=defines or [], version=msl, ignore=ignored)
    try:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = list(dict.fromkeys(each for one in pool.map(checked, files) for each in one))
    except (CompileError, OSError, UnicodeDecodeError) as error:
        _output.error(str(error))
        raise typer.Exit(2) from error
    if as_json:
        _output.print_json([_fields(finding) for finding in found])
    else:
        _report(found, files, svg)
    if found:
        raise typer.Exit(1)


def _fields(finding: Finding) -> dict[str, str | int]:
    section = finding.section
    return {
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "rule": finding.rule,
        "message": finding.message,
        "section": section.number,
        "title": section.title,
        "fix": finding.advice,
    }


def _report(found: list[Finding], files: list[Path], svg: Path | None) -> None:
    console = Console(highlight=False, record=svg is not None)
    for finding in found:
        # A picture is as wide as a terminal; lines in a pipe are as long as they are.
        console.print(_shown(finding), soft_wrap=svg is None and not console.is_terminal)
    checked = f"{_counted(len(files), 'file')} checked"
    if found:
        bad = len({finding.file for finding in found})
        _output.note(f"{_counted(len(found), 'finding')} in {_counted(bad, 'file')}, {checked}")
    else:
        _output.note(f"no findings, {checked}")
    if svg is not None:
        console.save_svg(str(svg), title="mpsops check")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _shown(finding: Finding) -> Text:
    """The place, the rule and the message; the line, with a mark below the word; what to do; and why."""
    place = f"{finding.file}:{finding.line}" + (f":{finding.column}" if finding.column else "")
    shown = Text.assemble((place, "bold"), ": ", (finding.rule, "bold red"), f": {finding.message}\n")
    if line := source_line(finding.file, finding.line):
        width = len(str(finding.line)) + 2
        shown.append(f"{finding.line:>{width}} | ", "dim").append(line.replace("\t", " ") + "\n")
        if finding.column:
            mark = " " * (finding.column - 1) + "^" * _length(line, finding.column)
            shown.append(" " * width + " | ", "dim").append(mark + "\n", "bold red")
    shown.append("   fix: ", "green").append(finding.advice + "\n")
    shown.append(f"   see: {SPECIFICATION}, {finding.section}\n", "dim")
    return shown


def _length(line: str, column: int) -> int:
    """Of the word there."""
    rest = line[column - 1 :]
    word = next((i for i, letter in enumerate(rest) if not (letter.isalnum() or letter == "_")), len(rest))
    return max(word, 1)


def _list_rules(as_json: bool) -> None:
    if as_json:
        _output.print_json(list(RULES.values()))
        return
    print("| rule | what must be so | specification |\n|---|---|---|")
    for rule in RULES.values():
        pedantic = " (with `--pedantic`)" if rule.pedantic else ""
        print(f"| `{rule.name}` | {rule.summary}{pedantic} | {rule.section} |")
