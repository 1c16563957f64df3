"""``mpsops check``: whether Apple's compiler takes a kernel source."""

import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from mpsops.msl import CompileError, _survey
from mpsops.msl._rules import SPECIFICATION
from mpsops.msl.strict import PEDANTIC, RULES, VERSIONS, Finding, check_text, source_line

from . import _output
from ._options import Json

EXIT_STATUS = "Exit status: 0, 1 if an error is found, or 2 if the check could not run."
_HEADERS = (".h", ".hpp", ".metal")
_STYLES = {"error": "bold red", "warning": "bold yellow"}


def _sources(paths: Iterable[Path]) -> list[_survey.Source]:
    """What is below folders; files that are named, whole unless they have kernels in strings."""
    sources: dict[_survey.Source, None] = {}
    for path in paths:
        found = list(_survey.find(path))
        if not found and path.is_file():
            if path.suffix not in _HEADERS:
                raise typer.BadParameter(f"{path} has no kernel source", param_hint="FILE")
            found = [_survey.Source(path, 1, path.read_text(encoding="utf-8"))]
        sources.update(dict.fromkeys(found))
    return list(sources)


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
            help="Sources, headers, programs with kernels in strings; folders, with all that is below.",
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
    warnings_as_errors: Annotated[
        bool, typer.Option("--warnings-as-errors", help="Exit with 1 for warnings too.")
    ] = False,
    list_rules: Annotated[bool, typer.Option("--list-rules", help="Print the rules, and exit.")] = False,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save what was printed as a picture.", dir_okay=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Find what Apple's Metal compiler rejects in kernel sources, without a Mac.

    Address spaces are checked as types, and the rules of the Metal Shading Language Specification that C++
    does not have. An error is what a Mac refuses; a warning what only some refuse, or what is not known here.
    Needs clang 18 or newer, or the package `ziglang`.
    """
    if list_rules:
        _list_rules(as_json)
        return
    _one_of(VERSIONS, "--msl", [msl])
    _one_of(RULES, "--ignore", ignore or [])
    ignored = {*(ignore or []), *(() if pedantic else PEDANTIC)}

    def checked(source: _survey.Source) -> list[Finding]:
        return check_text(
            source.text,
            source.path,
            source.line,
            include=include or [],
            defines=defines or [],
            version=msl,
            ignore=ignored,
        )

    try:
        sources = _sources(paths or [])
        if not sources:
            raise typer.BadParameter("no kernel source to check", param_hint="FILE")
        checkable = [source for source in sources if not _survey.placeholders(source.text)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = list(dict.fromkeys(each for one in pool.map(checked, checkable) for each in one))
    except (CompileError, OSError, UnicodeDecodeError) as error:
        _output.error(str(error))
        raise typer.Exit(2) from error
    if as_json:
        _output.print_json([_fields(finding) for finding in found])
    else:
        _report(found, svg)
        for source in sources:
            if source not in checkable:
                _output.note(f"{source.name}: not checked: a format string, which the program fills in")
        _output.note(_summary(found, len({source.path for source in checkable})))
    if any(warnings_as_errors or finding.level == "error" for finding in found):
        raise typer.Exit(1)


def _fields(finding: Finding) -> dict[str, str | int]:
    section = finding.section
    return {
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "level": finding.level,
        "rule": finding.rule,
        "message": finding.message,
        "section": section.number,
        "title": section.title,
        "fix": finding.advice,
    }


def _report(found: list[Finding], svg: Path | None) -> None:
    console = Console(highlight=False, record=svg is not None)
    advised: set[tuple[str, str]] = set()
    for finding in found:
        advice = finding.rule, finding.advice
        # A picture is as wide as a terminal; lines in a pipe are as long as they are.
        console.print(
            _shown(finding, advice not in advised), soft_wrap=svg is None and not console.is_terminal
        )
        advised.add(advice)
    if svg is not None:
        console.save_svg(str(svg), title="mpsops check")


def _summary(found: list[Finding], checked: int) -> str:
    """How many, of which level, in how many files; and of which rules, if there are several."""
    of_all = f"{_counted(checked, 'file')} checked"
    if not found:
        return f"no findings, {of_all}"
    levels = Counter(finding.level for finding in found)
    counts = " and ".join(_counted(levels[level], level) for level in _STYLES if levels[level])
    files = _counted(len({finding.file for finding in found}), "file")
    rules = Counter(finding.rule for finding in found).most_common()
    by_rule = ": " + ", ".join(f"{number} {rule}" for rule, number in rules) if len(rules) > 1 else ""
    return f"{counts} in {files}, {of_all}{by_rule}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _shown(finding: Finding, advised: bool) -> Text:
    """The place, the message and the rule; the line, with a mark; if `advised`, what to do and why."""
    style = _STYLES[finding.level]
    place = f"{finding.file}:{finding.line}" + (f":{finding.column}" if finding.column else "")
    level, rule = (finding.level, style), (finding.rule, style)
    shown = Text.assemble((place, "bold"), ": ", level, f": {finding.message} [", rule, "]\n")
    if line := source_line(finding.file, finding.line):
        width = len(str(finding.line)) + 2
        shown.append(f"{finding.line:>{width}} | ", "dim").append(line.replace("\t", " ") + "\n")
        if finding.column:
            mark = " " * (finding.column - 1) + "^" * _length(line, finding.column)
            shown.append(" " * width + " | ", "dim").append(mark + "\n", style)
    if advised:
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
    print("| rule | level | what must be so | specification |\n|---|---|---|---|")
    for rule in RULES.values():
        print(f"| `{rule.name}` | {rule.level} | {rule.summary} | {rule.section} |")
