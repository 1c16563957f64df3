"""Tokens of a source, and the edits to it: what all parts of the translator stand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ._targets import Target
from ._tokens import OPEN, Source

Value = bool | int | float | Sequence[bool] | Sequence[int] | Sequence[float]
Constants = Mapping[str | int, Value]  # values of function constants, by name or by index


class Rewriter:
    """Collects edits to `source`; `apply` makes them all."""

    def __init__(self, source: Source, target: Target, constants: Constants) -> None:
        self.source = source
        self.target = target
        self.constants = constants
        self.tokens = source.tokens
        self.match = source.match
        self.edits: list[tuple[int, int, str]] = []

    def replace(self, start: int, end: int, text: str) -> None:
        """Replaces tokens [start, end), keeping the number of lines."""
        a, b = self.tokens[start].start, self.tokens[end - 1].end
        if not text and "\n" not in self.source.text[a:b]:
            text = " " * (b - a)  # columns of diagnostics stay right
        self.edits.append((a, b, text + "\n" * self.source.text.count("\n", a, b)))

    def insert(self, offset: int, text: str) -> None:
        self.edits.append((offset, offset, text))

    def apply(self) -> str:
        text = self.source.text
        out: list[str] = []
        position = 0
        for start, end, new in sorted(self.edits, key=lambda e: (e[0], e[1] != e[0], -e[1])):
            if start < position:
                continue  # inside something that was removed
            out.append(text[position:start])
            out.append(new)
            position = end
        out.append(text[position:])
        return "".join(out)

    def is_mark(self, at: int, text: str) -> bool:
        return 0 <= at < len(self.tokens) and self.tokens[at].text == text

    def attribute_at(self, at: int) -> int:
        """The index behind `[[...]]` that opens at `at`, or `at`."""
        if self.is_mark(at, "[") and self.is_mark(at + 1, "[") and self.match[at + 1] + 1 == self.match[at]:
            return self.match[at] + 1
        return at

    def attributes(self, at: int) -> tuple[int, list[tuple[str, int, int]]]:
        """The index behind the `[[...]]` at `at`, and its attributes: name, and the span of the arguments."""
        behind = self.attribute_at(at)
        found = []
        for start, end in self.split(at + 2, behind - 2) if behind != at else []:
            has_arguments = self.is_mark(start + 1, "(") and self.match[start + 1] == end - 1
            span = (start + 2, end - 1) if has_arguments else (end, end)
            found.append((self.tokens[start].text, *span))
        return behind, found

    def spelling(self, start: int, end: int) -> str:
        """Tokens [start, end) on one line."""
        return " ".join(t.text for t in self.tokens[start:end])

    def angle_end(self, at: int, limit: int) -> int:
        """The index behind the `>` that closes the `<` at `at`, or `at` when it closes nothing."""
        depth = 0
        i = at
        while i < limit:
            text = self.tokens[i].text
            if text in OPEN:
                i = self.match[i]
            elif text == "<":
                depth += 1
            elif text == ">":
                depth -= 1
                if depth == 0:
                    return i + 1
            elif text in (">=", ">>=") or text == ";":
                return at
            i += 1
        return at

    def split(self, start: int, end: int) -> list[tuple[int, int]]:
        """[start, end) at its top-level commas."""
        out: list[tuple[int, int]] = []
        depth = 0
        first = i = start
        while i < end:
            text = self.tokens[i].text
            if text in OPEN:
                i = self.match[i]
            elif text == "<":
                depth += 1
            elif text == ">":
                depth -= 1
            elif text == "," and depth == 0:
                out.append((first, i))
                first = i + 1
            i += 1
        if first < end:
            out.append((first, end))
        return out
