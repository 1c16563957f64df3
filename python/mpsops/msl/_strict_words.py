"""Rules about single words of a source."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ._names import ATTRIBUTES, VERSIONS, since
from ._tokens import Source, Token

_FORBIDDEN = {
    "goto": "goto",
    "new": "new",
    "delete": "delete",
    "typeid": "typeid",
    "dynamic_cast": "dynamic_cast",
    "virtual": "virtual functions",
    "try": "exceptions",
    "throw": "exceptions",
    "register": "register",
    "thread_local": "thread_local",
}
_MAX_THREADS = 1024


def words(source: Source) -> Iterator[tuple[Token, str, str]]:
    """Token, rule and message of each; types that Metal lacks are replaced, so that the rest is read."""
    tokens = source.tokens
    for i, token in enumerate(tokens):
        following = tokens[i + 1].text if i + 1 < len(tokens) else ""
        if token.text == "[" and following == "[" and source.match[i] == source.match[i + 1] + 1:
            yield from _attributes(source, i + 2, source.match[i + 1])
        if token.kind != "name":
            continue
        if token.text == "double":
            is_long = i and tokens[i - 1].text == "long"
            name = "long double" if is_long else "double"
            yield token, "double", f"a floating-point type must be float, half or bfloat, got {name}"
            token.text = "float"
        elif token.text == "long" and following == "long":
            yield token, "long-long", "an integer must have at most 64 bits: long, got long long"
        elif token.text in _FORBIDDEN and not (token.text == "delete" and tokens[i - 1].text == "="):
            yield token, "restriction", f"Metal has no {_FORBIDDEN[token.text]}"


def newer(source: Source, version: str, declared: set[str]) -> Iterator[tuple[Token, str, str]]:
    """What `version` of Metal does not have yet. Names in `declared` are the source's own."""
    tokens = source.tokens
    for i, token in enumerate(tokens):
        if token.kind != "name" or token.text in declared or not _is_use(tokens, i):
            continue
        needed = since(token.text, tokens[i + 1].text if i + 1 < len(tokens) else "")
        if needed and VERSIONS[needed] > VERSIONS[version]:
            yield token, "version", f"'{token.text}' needs Metal {needed}, got {version}"


def _is_use(tokens: list[Token], i: int) -> bool:
    """Not a member, nor a name in somebody's namespace."""
    before = tokens[i - 1].text if i else ""
    return before not in (".", "->") and not (before == "::" and i > 1 and tokens[i - 2].text != "metal")


def _attributes(source: Source, start: int, end: int) -> Iterator[tuple[Token, str, str]]:
    tokens = source.tokens
    i = start
    while i < end:
        token = tokens[i]
        if token.kind == "name" and tokens[i + 1].text == "::":
            return  # a compiler's own
        if token.kind == "name" and token.text not in ATTRIBUTES:
            yield token, "attribute", f"[[{token.text}]] is not an attribute of Metal"
        if token.text == "max_total_threads_per_threadgroup" and tokens[i + 1].text == "(":
            number = tokens[i + 2]
            is_literal = tokens[i + 3].text == ")" and re.fullmatch(r"\d+[uU]?", number.text)
            if is_literal and not 0 < int(number.text.rstrip("uU")) <= _MAX_THREADS:
                yield (
                    number,
                    "max-threads",
                    f"{token.text} must be from 1 to {_MAX_THREADS}, got {number.text}",
                )
        while i < end and tokens[i].text != ",":
            i = source.match[i] + 1 if tokens[i].text in "([{" else i + 1
        i += 1
