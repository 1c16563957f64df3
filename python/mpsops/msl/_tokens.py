"""Preprocessed Metal Shading Language as tokens, with the place in the source that each came from."""

import re
from bisect import bisect_right
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""
    (?P<marker>^[ \t]*\#[^\n]*)
  | (?P<space>\s+)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<number>\.?\d(?:[eEpP][+-]|[\w.])*)
  | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
  | (?P<mark>::|->|<<=|>>=|<=|>=|==|!=|[-+*/%&|^]=|&&|\|\||.)
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
OPEN = {"(": ")", "[": "]", "{": "}"}
CLOSE = {")": "(", "]": "[", "}": "{"}


class TranslateError(RuntimeError):
    """A kernel source says something that Metal, or this translator, does not have."""


@dataclass(slots=True)
class Token:
    kind: str
    text: str
    start: int
    end: int


@dataclass
class Source:
    text: str
    tokens: list[Token] = field(default_factory=list)
    match: dict[int, int] = field(default_factory=dict)  # index of a bracket to that of its partner
    markers: list[tuple[int, int, str]] = field(default_factory=list)  # offset, line, file

    def where(self, offset: int) -> str:
        """`file:line` of an offset, by the line markers."""
        at = bisect_right(self.markers, offset, key=lambda m: m[0]) - 1
        if at < 0:
            return "<source>"
        start, line, file = self.markers[at]
        return f"{file}:{line + self.text.count(chr(10), start, offset)}"

    def fail(self, token: Token, message: str) -> TranslateError:
        return TranslateError(f"{self.where(token.start)}: error: {message}")


def scan(text: str, system: str | tuple[str, ...]) -> Source:
    """Tokens of `text`; what line markers place below the folders `system` has none."""
    source = Source(text)
    hidden = False
    stack: list[int] = []
    position = 0
    marker = re.compile(r'^[ \t]*#[ \t]+(\d+)[ \t]+"([^"]*)"[^\n]*\n', re.MULTILINE)
    pieces: list[tuple[int, int]] = []
    for found in marker.finditer(text):
        if not hidden:
            pieces.append((position, found.start()))
        hidden = found[2].startswith(system) or found[2].startswith("<")
        source.markers.append((found.end(), int(found[1]), found[2]))
        position = found.end()
    if not hidden:
        pieces.append((position, len(text)))
    tokens = source.tokens
    for start, end in pieces:
        for found in _TOKEN.finditer(text, start, end):
            kind = found.lastgroup or ""
            if kind in ("space", "marker"):
                continue
            token = Token(kind, found[0], found.start(), found.end())
            if kind == "mark":
                if token.text in OPEN:
                    stack.append(len(tokens))
                elif token.text in CLOSE:
                    if not stack or tokens[stack[-1]].text != CLOSE[token.text]:
                        raise source.fail(token, f"unbalanced '{token.text}'")
                    opened = stack.pop()
                    source.match[opened] = len(tokens)
                    source.match[len(tokens)] = opened
            tokens.append(token)
    if stack:
        raise source.fail(tokens[stack[-1]], f"'{tokens[stack[-1]].text}' is never closed")
    return source
