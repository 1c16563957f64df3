"""Finds what Apple's Metal compiler rejects and the simulator's does not.

The simulator compiles address spaces to nothing. Here the text that a Mac compiles is checked as C++ for
OpenCL, where `device`, `constant`, `threadgroup` and `thread` are as different as in Metal.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from linecache import getline
from pathlib import Path
from typing import Any

from ._compiler import CompileError, clang, include_directory, preprocess
from ._finding import Finding
from ._names import VERSIONS
from ._places import Lines, column_in
from ._rules import RULES, Rule
from ._strict_clang import DIAGNOSTIC, diagnostics
from ._strict_rewrite import in_metal, rewrite
from ._strict_tree import findings

__all__ = [
    "PEDANTIC",
    "RULES",
    "VERSIONS",
    "Finding",
    "Rule",
    "check",
    "check_file",
    "check_text",
    "source_line",
]

# What clang says that no rule is about.
_UNNAMED = frozenset(["compile", "unknown-name"])
_INCLUDE = Path(__file__).resolve().parent / "strict_include"
_OPTIONS = [
    *["-x", "clcpp", "-cl-std=clc++2021", "-cl-no-stdinc", "-nostdinc", "-fsigned-char", "-fdeclspec"],
    *["-fsyntax-only", "-ferror-limit=0", "-fno-caret-diagnostics", "-fno-color-diagnostics"],
    *["-Wno-everything", "-Werror=pre-c++17-compat", "-Werror=c++11-narrowing"],
    *["-Werror=global-constructors", "-Xclang", "-ast-dump"],
]
# c10 passes functions by pointer, and Metal has that since 2.3.
_POINTERS = "#pragma OPENCL EXTENSION __cl_clang_function_pointers : enable\n"
THIRD_PARTY = ("c10/metal/",)
PEDANTIC = frozenset(name for name, rule in RULES.items() if rule.level == "pedantic")


def check(
    text: str,
    name: str,
    *,
    defines: Sequence[str] = (),
    version: str = "3.1",
    ignore: Collection[str] = PEDANTIC,
    third_party: Sequence[str] = THIRD_PARTY,
) -> list[Finding]:
    """What is wrong with the flattened `text` of a kernel source, called `name` where it has no marker.

    Args:
        text: as `flatten` makes it; `#line` markers name the files.
        name: of the source.
        defines: macros, NAME or NAME=VALUE.
        version: of Metal, one of `VERSIONS`.
        ignore: rules not to report; by default those that Apple's compiler only warns about.
        third_party: folders of headers in which what Apple's compiler is known to take is no finding.

    Raises:
        CompileError: there is no clang, or it does not run.
    """
    source = _macros(defines, version) + f'#line 1 "{name}"\n{text}'
    found = _findings(source, name, [], version, Lines(source).get)
    return _select(found, ignore, version, third_party)


def check_file(path: Path, **options: Any) -> list[Finding]:
    """What is wrong with a file and with those that it includes; otherwise as `check_text`.

    Raises:
        OSError: the file cannot be read.
    """
    return check_text(path.read_text(encoding="utf-8"), path, **options)


def check_text(
    text: str,
    path: Path,
    line: int = 1,
    *,
    include: Sequence[Path] = (),
    defines: Sequence[str] = (),
    version: str = "3.1",
    ignore: Collection[str] = PEDANTIC,
    third_party: Sequence[str] = THIRD_PARTY,
) -> list[Finding]:
    """What is wrong with a file, or with the kernels in a string of a program, and with what it includes.

    Args:
        text: of the kernels.
        path, line: the file that it is of, and where it starts in that.
        include: folders of headers, besides the file's own and torch's.
        defines, version, ignore, third_party: as for `check`.

    Raises:
        CompileError: there is no clang, or it does not run.
    """
    source = _macros(defines, version) + f'#line {line} "{path}"\n{text}'
    found = _findings(source, str(path), [path.parent, *include], version, source_line)
    return _select(found, ignore, version, third_party)


def source_line(file: str, line: int) -> str:
    """Without its end; "" where there is none."""
    return getline(file, line).rstrip("\n")


def _findings(
    source: str, name: str, include: Sequence[Path], version: str, written: Callable[[str, int], str]
) -> list[Finding]:
    """`written` gives a line of the source, for the columns in it."""
    system = (str(include_directory()), str(_INCLUDE))
    try:
        preprocessed = preprocess(source, name, checked=False, include=[_INCLUDE, *include])
    except CompileError as error:
        found = list(diagnostics(str(error), system))
        if not found:
            raise
        return _as_written(found, written, written)
    rewritten, by_token = rewrite(preprocessed, system, version)
    found = _as_written(by_token, written, Lines(preprocessed).get)
    if not rewritten:
        return found
    done = subprocess.run(
        [*clang()[0], *_OPTIONS, "-"],
        input=_POINTERS + rewritten,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0 and not DIAGNOSTIC.search(done.stderr):
        raise CompileError(f"mpsops: the strict check cannot run clang\n{done.stderr.strip()}")
    by_clang = list(diagnostics(done.stderr, system))
    by_clang += findings(done.stdout, lambda file: file != "" and not file.startswith((*system, "<")))
    return found + _as_written(by_clang, written, Lines(rewritten).get)


def _macros(defines: Sequence[str], version: str) -> str:
    number = VERSIONS[version][0]
    lines = ["#undef __METAL_VERSION__", f"#define __METAL_VERSION__ {number}"]
    if number < VERSIONS["3.1"][0]:
        lines.append("#undef __HAVE_BFLOAT__")
    lines += [f"#define {define.replace('=', ' ', 1)}" for define in defines]
    return "".join(f"{line}\n" for line in lines)


def _as_written(
    found: Sequence[Finding], written: Callable[[str, int], str], read: Callable[[str, int], str]
) -> list[Finding]:
    """With columns of the source, rather than of the text that was read."""

    def spelled(word: str) -> str:
        return in_metal(word).strip()

    return [
        replace(f, column=column_in(written(f.file, f.line), read(f.file, f.line), f.column, spelled))
        for f in found
    ]


def _select(
    found: Sequence[Finding], ignore: Collection[str], version: str, third_party: Sequence[str]
) -> list[Finding]:
    number = VERSIONS[version][0]
    ignored = set(ignore)
    if number >= VERSIONS["3.2"][0]:
        ignored.add("lambda")
    if number >= VERSIONS["4.0"][0]:
        ignored.add("c++17")
    # What a rule names, clang need not complain about in its own way.
    named = {(f.file, f.line) for f in found if f.rule not in _UNNAMED}
    kept: dict[tuple[str, int, str, str], Finding] = {}
    for finding in sorted(found, key=lambda f: (f.file, f.line, f.column, f)):
        rule = RULES[finding.rule]
        in_library = rule.known_in_libraries and any(
            f"/{folder}" in f"/{finding.file}" for folder in third_party
        )
        again = finding.rule in _UNNAMED and (finding.file, finding.line) in named
        if finding.rule not in ignored and not in_library and not again:
            # One for each instantiation of a template says no more than one.
            kept.setdefault((finding.file, finding.line, finding.rule, finding.message), finding)
    return list(kept.values())
