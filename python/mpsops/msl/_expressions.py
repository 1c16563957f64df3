"""Expressions that clang reads otherwise than Metal: literals, and constructors of vector types."""

from __future__ import annotations

import re

from ._function_constants import FunctionConstantRewriter
from ._rewriter import Constants
from ._targets import Target
from ._tokens import OPEN, Source

# Types whose casts clang lacks: vectors, and half and bfloat into each other.
VECTOR = re.compile(
    r"((bool|char|uchar|short|ushort|int|uint|long|ulong|half|bfloat|float)[234]|half|bfloat)$"
)

_FLOAT = re.compile(r"(\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)$")
_SUFFIXED = re.compile(r"(?P<digits>[\d.]+(?:[eE][+-]?\d+)?)(?P<suffix>h|H|bf|BF)$")


class ExpressionRewriter(FunctionConstantRewriter):
    def __init__(self, source: Source, target: Target, constants: Constants) -> None:
        super().__init__(source, target, constants)
        self.types: set[str] = set()

    def collect_types(self) -> None:
        """Names that may stand for vector types: template parameters and aliases."""
        tokens = self.tokens
        for i, token in enumerate(tokens):
            if token.kind != "name":
                continue
            if token.text in ("typename", "class") and i + 1 < len(tokens):
                after = tokens[i + 1]
                before = tokens[i - 1].text if i else ""
                if after.kind == "name" and before in ("<", ",") and not self.is_mark(i + 2, "::"):
                    self.types.add(after.text)
            elif token.text == "using" and tokens[i + 1].kind == "name" and self.is_mark(i + 2, "="):
                self.types.add(tokens[i + 1].text)
            elif token.text == "typedef":
                end = i
                while not self.is_mark(end, ";"):
                    end = self.match[end] + 1 if tokens[end].text in OPEN else end + 1
                if tokens[end - 1].kind == "name":
                    self.types.add(tokens[end - 1].text)

    def rewrite_expressions(self) -> None:
        """Literals, and T(...) where T may be a vector type."""
        tokens = self.tokens
        for i, token in enumerate(tokens):
            if token.kind == "number":
                if token.text[:2] in ("0x", "0X") and "p" in token.text.lower():
                    # C++14 has no hexadecimal ones; clang, and so Apple's compiler, takes them.
                    self.replace(i, i + 1, f"{float.fromhex(token.text.rstrip('fF'))!r}f")
                elif _FLOAT.match(token.text):
                    self.insert(token.end, "f")
                elif suffixed := _SUFFIXED.match(token.text):
                    kind = "half" if suffixed["suffix"] in "hH" else "bfloat"
                    digits = suffixed["digits"]
                    digits += "f" if _FLOAT.match(digits) else ".0f"
                    self.replace(i, i + 1, f"(({kind}){digits})")
            elif token.kind == "name":
                if token.text == "double":
                    raise self.source.fail(token, "Metal has no double")
                if token.text == "is_function_constant_defined" and self.is_mark(i + 1, "("):
                    self.is_defined(i)
                elif token.text == "static_cast" and self.is_mark(i + 1, "<"):
                    self.static_cast(i)
                elif token.text == "coherent":
                    self.coherent(i)
                elif token.text in self.types or token.text == "vec" or VECTOR.match(token.text):
                    self.constructor(i)

    def static_cast(self, at: int) -> None:
        end = self.angle_end(at + 1, len(self.tokens))
        inside = self.tokens[at + 2 : end - 1]
        if any(t.text in ("*", "&", "&&", "(", "void") for t in inside):
            return
        if any(t.text in self.types or t.text == "vec" or VECTOR.match(t.text) for t in inside):
            self.replace(at, at + 1, "::mpsops_msl::cast")

    def coherent(self, at: int) -> None:
        """A qualifier of pointers, `coherent` or `coherent(device)`: all memory is coherent here."""
        after = self.match[at + 1] + 1 if self.is_mark(at + 1, "(") else at + 1
        if self.tokens[after].text in ("device", "const", "volatile", "constant"):
            self.replace(at, after, "")

    def constructor(self, at: int) -> None:
        tokens = self.tokens
        behind = at + 1
        if tokens[at].text == "vec" and not self.is_mark(behind, "<"):
            return
        if self.is_mark(behind, "<"):
            if VECTOR.match(tokens[at].text):
                return
            behind = self.angle_end(behind, len(tokens))
            if behind == at + 1:
                return
        if not self.is_mark(behind, "(") or self.match[behind] == behind + 1:
            return
        begin = at
        while begin >= 2 and tokens[begin - 1].text == "::":
            begin -= 1
            if tokens[begin - 1].kind == "name" and tokens[begin - 1].text not in ("return", "else", "case"):
                begin -= 1
        before = tokens[begin - 1] if begin else tokens[at]
        if before.text in ("operator", ".", "->", "~", "struct", "class", "typename", "new"):
            return
        if before.text in ("=",) and begin >= 3 and tokens[begin - 3].text == "using":
            return
        # T (*name)(...) declares a function pointer, T (&name)[...] a reference to an array.
        if tokens[behind + 1].text in ("*", "&") and tokens[self.match[behind] + 1].text in ("(", "["):
            return
        self.insert(tokens[begin].start, "::mpsops_msl::make<")
        self.insert(tokens[behind].start, ">")
