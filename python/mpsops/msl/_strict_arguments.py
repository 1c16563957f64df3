"""Rules about the arguments of kernels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ._finding import Finding
from ._parameters import BUILTINS
from ._tokens import Token

if TYPE_CHECKING:
    from ._strict_rewrite import StrictTranslator

MAX_BUFFERS = 31
_SCALAR = re.compile(
    r"(?:bool|char|uchar|short|ushort|int|uint|long|ulong|half|bfloat|float|u?int(?:8|16|32|64)_t|size_t|unsigned|signed)"
    r"[234]?\Z"
)
_INPUT = re.compile(r"(?:u(?:short|int)|uint(?:16|32)_t|unsigned)[23]?\Z")
_QUALIFIERS = {"const", "volatile", "device", "constant", "threadgroup", "thread"}


def kernel_arguments(translator: StrictTranslator, open_paren: int) -> list[Finding]:
    return list(_arguments(translator, open_paren))


def _arguments(translator: StrictTranslator, open_paren: int) -> Iterator[Finding]:
    tokens = translator.tokens
    seen: dict[tuple[str, str], str] = {}
    for start, end in translator.split(open_paren + 1, translator.match[open_paren]):
        words: list[Token] = []
        attributes: dict[str, Token] = {}  # with its argument, or itself
        i = start
        while i < end:
            behind = translator.attribute_at(i)
            if behind == i:
                words.append(tokens[i])
                i += 1
                continue
            for first, last in translator.split(i + 2, behind - 2):
                attributes[tokens[first].text] = tokens[first + 2 if last > first + 2 else first]
            i = behind
        texts = [word.text for word in words]
        name = texts[-1] if texts else "?"
        for kind in {"buffer", "threadgroup"} & attributes.keys():
            index = attributes[kind]
            if index.text.isdecimal():
                if int(index.text) >= MAX_BUFFERS:
                    message = f"index of a {kind} must be below {MAX_BUFFERS}, got {index.text}"
                    yield translator.finding(index, "buffers", message)
                other = seen.setdefault((kind, index.text), name)
                if other != name and "function_constant" not in attributes:
                    message = (
                        f"index of a {kind} must be used once, got {index.text} for '{other}' and '{name}'"
                    )
                    yield translator.finding(index, "buffers", message)
        yield from _types(translator, words, attributes)


def _types(
    translator: StrictTranslator, words: list[Token], attributes: dict[str, Token]
) -> Iterator[Finding]:
    texts = [word.text for word in words]
    written = [text for text in texts[:-1] if text not in _QUALIFIERS]
    is_indirect = bool({"*", "&", "["} & set(texts))
    if "buffer" in attributes and not is_indirect and len(written) == 1 and _SCALAR.match(written[0]):
        message = f"buffer '{texts[-1]}' must be a pointer or reference, got {written[0]}"
        yield translator.finding(words[0], "kernel-argument", message)
    for builtin in BUILTINS & attributes.keys():
        if is_indirect or (len(written) == 1 and _SCALAR.match(written[0]) and not _INPUT.match(written[0])):
            got = " ".join(texts[:-1])
            message = f"[[{builtin}]] '{texts[-1]}' must be ushort or uint, or a vector of them, got {got}"
            yield translator.finding(words[0], "kernel-argument", message)
