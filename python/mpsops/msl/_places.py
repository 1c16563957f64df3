"""Columns: from what a compiler or a scanner read back to what was written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property

_MARKER = re.compile(r'[ \t]*#[ \t]*(?:line[ \t]+)?(\d+)[ \t]+"([^"]*)"')
_WORD = re.compile(r"\w+|::|->|[^\w\s]")


class Lines:
    """The lines of a text with line markers, by file and number."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def by_place(self) -> Mapping[tuple[str, int], str]:
        places: dict[tuple[str, int], str] = {}
        file, number = "", 0
        for line in self.text.splitlines():
            if marker := _MARKER.match(line):
                file, number = marker[2], int(marker[1])
                continue
            # What a macro was expanded to may have several lines with one number.
            places[file, number] = places.get((file, number), "") + line
            number += 1
        return places

    def get(self, file: str, line: int) -> str:
        return self.by_place.get((file, line), "")


def column_in(written: str, read: str, column: int, spelled: Callable[[str], str]) -> int:
    """Where in the line `written` the word is that stands at `column` of `read`; 0 if it is not there.

    The two have most words in common, but not their places: `spelled` says how a word of `read` was written,
    and the n-th of a kind in one line is the n-th in the other.
    """
    if not 0 < column <= len(read):
        return 0
    words = [(match.start() + 1, spelled(match[0])) for match in _WORD.finditer(read)]
    at = next((i for i, (start, word) in enumerate(words) if start <= column < start + len(word)), None)
    at = at if at is not None else next((i for i, (start, _) in enumerate(words) if start >= column), None)
    if at is None:
        return 0
    wanted = words[at][1]
    before = sum(word == wanted for _, word in words[:at])
    starts = [match.start() + 1 for match in _WORD.finditer(written) if match[0] == wanted]
    return starts[min(before, len(starts) - 1)] if starts else 0
