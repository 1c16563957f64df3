"""Threadgroup variables of functions: references into the memory of the group."""

from __future__ import annotations

import re

from ._rewriter import Rewriter
from ._tokens import OPEN


class ThreadgroupRewriter(Rewriter):
    identity = ""  # of the kernel whose body is rewritten: an expression, or nothing

    def threadgroup_variables(self, at: int, limit: int) -> None:
        tokens = self.tokens
        i = at
        while i < limit:
            if tokens[i].text != "threadgroup":
                i += 1
                continue
            start = self.qualifiers_before(i)
            if tokens[start - 1].text not in ("{", "}", ";", ")"):
                i += 1
                continue
            end = i
            depth = 0
            pointer = False
            while not self.is_mark(end, ";"):
                text = tokens[end].text
                if text in ("<", ">"):
                    depth += 1 if text == "<" else -1
                elif depth == 0 and text in ("*", "&", "=", "(") and not self.is_mark(end - 1, "alignas"):
                    pointer = True
                end = self.match[end] + 1 if text in OPEN else end + 1
            if not pointer:
                self.threadgroup_variable(start, end)
            i = end

    def qualifiers_before(self, at: int) -> int:
        """Where the declaration begins that token `at` is a qualifier of."""
        while True:
            if self.tokens[at - 1].text in ("static", "volatile", "const"):
                at -= 1
            elif self.is_mark(at - 1, ")") and self.is_mark(self.match[at - 1] - 1, "alignas"):
                at = self.match[at - 1] - 1
            else:
                return at

    def threadgroup_variable(self, start: int, end: int) -> None:
        """threadgroup T a[N], b;  ->  typedefs of T[N] and T, and references of those types."""
        tokens = self.tokens
        declarators = self.split(start, end)
        text = self.source.text
        names: list[int] = []
        for number, (first, last) in enumerate(declarators):
            i = first
            name = -1
            while i < last and not (self.is_mark(i, "[") and self.attribute_at(i) == i):
                if self.is_mark(i, "alignas"):
                    i = self.match[i + 1] + 1
                    continue
                if tokens[i].text == "<":
                    i = self.angle_end(i, last)
                    continue
                if tokens[i].kind == "name":
                    name = i
                i += 1
            if name < 0 or (number == 0 and name == first):
                raise self.source.fail(tokens[start], "a threadgroup variable needs a type and a name")
            names.append(name)
        out = ["typedef "]
        position = tokens[start].start
        for name in names:
            out.append(self.as_typedef(text[position : tokens[name].start]))
            out.append(f"mpsops_type_{tokens[name].text}")
            position = tokens[name].end
        out.append(text[position : tokens[end - 1].end] + ";")
        for name in names:
            n = tokens[name].text
            out.append(self.target.threadgroup_variable(n, self.identity))
        self.edits.append((tokens[start].start, tokens[end].end, "".join(out)))

    @staticmethod
    def as_typedef(text: str) -> str:
        """What stands before a declarator, as a typedef can have it."""
        text = re.sub(r"\b(threadgroup|static)\b", "", text)
        return re.sub(r"\balignas\s*\(([^()]*)\)", r"__attribute__((aligned(\1)))", text)

    def members(self, at: int, limit: int) -> None:
        """Member functions may declare threadgroup variables too."""
        while at < limit:
            if self.tokens[at].text == "{":
                self.threadgroup_variables(at + 1, self.match[at])
                at = self.match[at] + 1
            else:
                at += 1
