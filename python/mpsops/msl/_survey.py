"""Which kernel sources of a folder compile for the simulator, and which kernels they have."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ._compiler import CompileError
from ._library import compile
from ._tokens import TranslateError

# C++, Objective-C++ and Rust keep kernels in raw strings, Python in triple quotes.
_EMBEDDED = [
    re.compile(r'R"(\w*)\((?P<text>.*?)\)\1"', re.DOTALL),
    re.compile(r'r#"(?P<text>.*?)"#', re.DOTALL),
    re.compile(r'r?"""(?P<text>.*?)"""', re.DOTALL),
]
_HOSTS = frozenset([".mm", ".cpp", ".cc", ".h", ".hpp", ".rs", ".py"])


@dataclass(frozen=True)
class Source:
    """Metal Shading Language of a file: all of a `.metal` file, or a string in a program.

    Attributes:
        path: of the file.
        line: where the text starts in it, from 1.
        text: of the kernels.
    """

    path: Path
    line: int
    text: str

    @property
    def name(self) -> str:
        return str(self.path) if self.path.suffix == ".metal" else f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Outcome:
    """What became of a source.

    Attributes:
        source: the file, with a line if the text is a string in a program.
        compiles: whether it does.
        kernels: their names, as the host asks for them.
        error: the first error, empty if there is none.
        seconds: it took, near nothing if the cache had it.
    """

    source: str
    compiles: bool
    kernels: list[str]
    error: str
    seconds: float


def find(path: Path) -> Iterator[Source]:
    """The sources of a file, or of all files below a folder, by name."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        if file.suffix == ".metal":
            yield Source(file, 1, file.read_text(encoding="utf-8"))
        elif file.suffix in _HOSTS:
            yield from _embedded(file)


def survey(
    sources: Sequence[Source],
    *,
    include: Sequence[Path] = (),
    defines: Sequence[str] = (),
    checked: bool = False,
    jobs: int = 1,
) -> Iterator[Outcome]:
    """Compiles each, `jobs` at a time; the outcomes come in the order of the sources."""

    def one(source: Source) -> Outcome:
        begin = time.monotonic()
        kernels: list[str] = []
        error = ""
        if missing := placeholders(source.text):
            error = f"a format string: the program fills in {', '.join(missing)}"
            return Outcome(source.name, False, kernels, error, 0)
        try:
            # The folder of the file first, as quotes ask for.
            library = compile(
                source.text,
                name=source.name,
                checked=checked,
                include=[source.path.resolve().parent, *include],
                defines=defines,
            )
            kernels = sorted(library)
        except (CompileError, TranslateError) as failure:
            error = first_error(str(failure))
        return Outcome(source.name, not error, kernels, error, round(time.monotonic() - begin, 2))

    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(one, sources)


def placeholders(text: str) -> list[str]:
    """What a program puts into `text` if that is a format string: its braces are doubled, as a body shows."""
    if not re.search(r"\)\s*\{\{\s", text):
        return []
    return sorted(set(re.findall(r"(?<!\{)\{\w*\}(?!\})", text)))


def first_error(text: str) -> str:
    """The line of `text` that names an error, or its last line."""
    lines = [line for line in text.splitlines() if line.strip()]
    return next((line for line in lines if re.search(r"\berror: ", line)), lines[-1] if lines else "")


def _embedded(file: Path) -> Iterator[Source]:
    text = file.read_text(encoding="utf-8", errors="replace")
    for pattern in _EMBEDDED:
        for found in pattern.finditer(text):
            body = found["text"]
            # Attributes tell it from OpenCL; not every string includes the library.
            if ("metal_stdlib" in body or "[[" in body) and re.search(r"\bkernel\b", body):
                yield Source(file, text.count("\n", 0, found.start("text")) + 1, body)
