"""What a compiled kernel depends on, found without the compiler."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

_INCLUDE = re.compile(
    r"^[ \t]*#[ \t]*(?:include|import)[ \t]*(?P<how>[<\"]?)(?P<name>[^>\"\n]*)", re.MULTILINE
)


def cache_key(source: str, include: Sequence[Path], torch_include: Path | None, options: object) -> str:
    """A hash of the source, of all files that it may include, of the options and of this package."""
    key = hashlib.sha256(repr((options, [str(folder) for folder in include])).encode())
    key.update(_own_version())
    key.update(source.encode())
    folders = [*include, *([torch_include] if torch_include is not None else [])]
    included = _included(source, folders)
    for path, text in sorted(included.items()):
        key.update(repr((str(path), text)).encode())
    if any(match["how"] == "" for text in (source, *included.values()) for match in _INCLUDE.finditer(text)):
        key.update(str(time.time_ns()).encode())  # a file that a macro names: only the compiler knows which
    return key.hexdigest()[:32]


def _included(source: str, folders: Sequence[Path]) -> dict[Path, str]:
    """Every file that an `#include` could mean, also those in branches that are not taken."""
    found: dict[Path, str] = {}
    waiting: list[tuple[str, Path | None]] = [(source, None)]
    while waiting:
        text, includer = waiting.pop()
        for path in _candidates(text, includer, folders):
            if path not in found:
                found[path] = path.read_text(encoding="utf-8", errors="surrogateescape")
                waiting.append((found[path], path.parent))
    return found


def _candidates(text: str, includer: Path | None, folders: Sequence[Path]) -> Iterator[Path]:
    for match in _INCLUDE.finditer(text):
        for folder in [*([includer] if includer is not None and match["how"] == '"' else []), *folders]:
            path = folder / match["name"]
            if path.is_file():
                yield path


@cache
def _own_version() -> bytes:
    """A hash of the translator and of the headers that make Metal Shading Language valid C++."""
    from ._compiler import include_directory

    version = hashlib.sha256()
    here = Path(__file__).resolve().parent
    library = include_directory()
    for folder, pattern in ((here, "*.py"), (library, "**/*")):
        for path in sorted(file for file in folder.glob(pattern) if file.is_file()):
            version.update(repr(str(path.relative_to(folder))).encode())
            version.update(path.read_bytes())
    return version.digest()
