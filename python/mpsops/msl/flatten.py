"""One self-contained text per `.metal` file, which is what newLibraryWithSource takes.

`#include`s of files that are found are replaced by the files; `<metal_stdlib>` and other system headers
stay. `#line` markers make the compiler name the original file and line. No torch import: a build runs this
file as a script, before mpsops exists.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_DIRECTIVE = re.compile(r"\s*#\s*(\w+)\s*(.*?)\s*$")
_TARGET = re.compile(r'(?:"([^"]+)"|<([^>]+)>)')
_TOKEN = re.compile(r'//|/\*|"(?:\\.|[^"\\])*"')
_COMMENT_END = re.compile(r"\*/")


class FlattenError(Exception):
    """An `#include` that cannot be embedded; the text names file and line."""


@dataclass
class Flattened:
    text: str
    files: list[Path]  # all that went in: what a build has to watch


@dataclass
class _Flattener:
    include_dirs: list[Path]
    files: dict[Path, None] = field(default_factory=dict)
    # For a `#pragma once` file: the conditions under which it is in the text already.
    embedded: dict[Path, list[frozenset[str]]] = field(default_factory=dict)

    def name(self, path: Path) -> str:
        """The path as an `#include` would spell it: short, and the same on every machine."""
        for folder in self.include_dirs:
            if path.is_relative_to(folder):
                return path.relative_to(folder).as_posix()
        return path.name

    def find(self, spelling: str, quoted: bool, includer: Path) -> Path | None:
        folders = [includer.parent, *self.include_dirs] if quoted else self.include_dirs
        for folder in folders:
            candidate = folder / spelling
            if candidate.is_file():
                return candidate.resolve()
        return None

    def embed(self, path: Path, outer: tuple[str, ...], stack: tuple[Path, ...]) -> list[str]:
        if path in stack:
            cycle = " -> ".join(self.name(p) for p in (*stack, path))
            raise FlattenError(f"{self.name(stack[-1])}: #include must not be circular, got {cycle}")
        self.files[path] = None
        lines = path.read_text(encoding="utf-8").splitlines()
        directives = list(_directives(lines))
        name = self.name(path)
        out = [f'#line 1 "{name}"']
        once = any(d.word == "pragma" and d.rest == "once" for d in directives) and bool(stack)
        if once:
            if any(known <= frozenset(outer) for known in self.embedded.get(path, [])):
                return []
            # The same header again, under another condition: the guard leaves one copy to the compiler.
            self.embedded.setdefault(path, []).append(frozenset(outer))
            guard = "MPSOPS_ONCE_" + re.sub(r"\W", "_", name)
            out = [f"#ifndef {guard}", f"#define {guard}", *out]

        conditions: list[str] = []
        at = {d.line: d for d in directives}
        replaced = 0  # lines up to this one
        for number, line in enumerate(lines, 1):
            if number <= replaced:
                continue
            directive = at.get(number)
            if directive is None:
                out.append(line)
                continue
            _track(directive, conditions, f"{name}:{number}")
            inner = self.include(directive, path, (*outer, *conditions), stack)
            if inner is not None:
                # A comment that ends or begins on the replaced line still does.
                replaced = directive.last
                out += [*directive.closes, *inner, f'#line {replaced} "{name}"', directive.opens]
            elif directive.word == "pragma" and directive.rest == "once":
                out.append("".join(directive.closes) + directive.opens)
            else:
                out.append(line)
        if conditions:
            raise FlattenError(f"{name}: #if must have an #endif, got {conditions[-1]!r} open at the end")
        if once:
            out.append("#endif")
        return out

    def include(
        self, directive: _Directive, path: Path, conditions: tuple[str, ...], stack: tuple[Path, ...]
    ) -> list[str] | None:
        """The lines that replace an `#include`; None if the line stays as it is."""
        if directive.word not in ("include", "import"):
            return None
        where = f"{self.name(path)}:{directive.line}"
        target = _TARGET.match(directive.rest)
        if target is None:
            raise FlattenError(f"{where}: #include must name a file, got {directive.rest}")
        quoted = target[1] is not None
        spelling = target[1] or target[2]
        found = self.find(spelling, quoted, path)
        if found is not None:
            return self.embed(found, conditions, (*stack, path))
        # A system header has one component or comes with the compiler; all others must be found.
        if quoted or spelling.startswith(("c10/", "ATen/", "metal/")):
            folders = ", ".join(str(folder) for folder in self.include_dirs)
            raise FlattenError(f"{where}: #include must name a file in {folders}, got {spelling}")
        return None


@dataclass
class _Directive:
    line: int
    word: str
    rest: str
    last: int  # the line where it ends
    closes: list[str]  # ["*/"] if the line begins inside a comment
    opens: str = ""  # "/*" if it ends inside one


def _directives(lines: Sequence[str]) -> Iterable[_Directive]:
    """The preprocessor directives, without comments and with their continuation lines."""
    in_comment = False
    open_directive: _Directive | None = None
    continued = False
    for number, line in enumerate(lines, 1):
        closes = ["*/"] if in_comment else []
        code, in_comment = _strip_comments(line, in_comment)
        text = code.removesuffix("\\")
        if continued:
            if open_directive is not None:
                open_directive.rest = f"{open_directive.rest} {text.strip()}".strip()
                open_directive.last = number
        else:
            match = _DIRECTIVE.match(text)
            open_directive = None if match is None else _Directive(number, match[1], match[2], number, closes)
        continued = code.endswith("\\")
        if open_directive is not None and not continued:
            open_directive.opens = "/*" if in_comment else ""
            yield open_directive
            open_directive = None


def _strip_comments(line: str, in_comment: bool) -> tuple[str, bool]:
    code = ""
    at = 0
    while at < len(line):
        token = (_COMMENT_END if in_comment else _TOKEN).search(line, at)
        if token is None:
            break
        if in_comment:
            in_comment = False
            code += " "
        elif token[0] == "//":
            return code + line[at : token.start()], False
        elif token[0] == "/*":
            code += line[at : token.start()]
            in_comment = True
        else:
            code += line[at : token.end()]
        at = token.end()
    return (code if in_comment else code + line[at:]), in_comment


def _track(directive: _Directive, conditions: list[str], where: str) -> None:
    """Keeps the stack of enclosing conditions, each as normalised text."""
    text = " ".join(directive.rest.split())
    match directive.word:
        case "if":
            conditions.append(text)
        case "ifdef":
            conditions.append(f"defined({text})")
        case "ifndef":
            conditions.append(f"!defined({text})")
        case "elif" | "else" | "endif":
            if not conditions:
                raise FlattenError(f"{where}: #{directive.word} must follow an #if, got none")
            before = conditions.pop()
            if directive.word != "endif":
                conditions.append(f"!({before}) && ({text or 'else'})")
        case _:
            pass


def flatten(path: Path, include_dirs: Sequence[Path]) -> Flattened:
    """The text of `path` with its includes; every `#pragma once` file once."""
    flattener = _Flattener([folder.resolve() for folder in include_dirs])
    lines = flattener.embed(path.resolve(), (), ())
    return Flattened("\n".join(lines) + "\n", list(flattener.files))


def _depfile(target: Path, files: Sequence[Path]) -> str:
    escaped = [
        str(file).replace("\\", "/").replace(" ", "\\ ").replace("#", "\\#") for file in (target, *files)
    ]
    return f"{escaped[0]}: {' '.join(escaped[1:])}\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Replaces the #includes of a .metal file by their text.")
    parser.add_argument("source", type=Path)
    parser.add_argument("-I", dest="include_dirs", type=Path, action="append", default=[], metavar="FOLDER")
    parser.add_argument("-o", dest="output", type=Path, required=True)
    parser.add_argument("--depfile", type=Path)
    options = parser.parse_args(arguments)
    try:
        result = flatten(options.source, options.include_dirs)
    except FlattenError as error:
        raise SystemExit(f"error: {error}") from None
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(result.text, encoding="utf-8")
    if options.depfile is not None:
        options.depfile.write_text(_depfile(options.output, result.files), encoding="utf-8")


if __name__ == "__main__":
    main()
