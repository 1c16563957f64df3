"""Casts as C writes them, where half, bfloat or vectors may be meant."""

from __future__ import annotations

from ._expressions import VECTOR, ExpressionRewriter

_BEFORE_CAST = frozenset(["return", "else", "case", "do"])
_PREFIX = frozenset("-+!~*&")


class CastRewriter(ExpressionRewriter):
    def rewrite_casts(self) -> None:
        """After `rewrite_expressions`: a literal's suffix belongs into the cast."""
        casts: set[int] = set()  # the `)` of each
        for i, token in enumerate(self.tokens):
            if token.text == "(" and self._is_cast(i, casts):
                casts.add(self.match[i])
        for closed in casts:
            end = self._operand_end(closed + 1, casts)
            opened = self.match[closed]
            self.replace(opened, opened + 1, "::mpsops_msl::c_cast<")
            self.replace(closed, closed + 1, ">(")
            self.insert(self.tokens[end - 1].end, ")")

    def _type_end(self, at: int) -> int:
        """The index behind a type that may be a vector, or `at`."""
        tokens = self.tokens
        i = at
        while i < len(tokens) and tokens[i].text in ("const", "thread", "typename"):
            i += 1
        while self.is_mark(i, "::") or self.is_mark(i + 1, "::"):
            i += 1 if self.is_mark(i, "::") else 2
        if i >= len(tokens) or tokens[i].kind != "name":
            return at
        text = tokens[i].text
        if text == "vec" and self.is_mark(i + 1, "<"):
            behind = self.angle_end(i + 1, len(tokens))
            return behind if behind != i + 1 else at
        return i + 1 if text in self.types or VECTOR.match(text) else at

    def _is_cast(self, at: int, casts: set[int]) -> bool:
        tokens = self.tokens
        closed = self.match[at]
        if closed == at + 1 or self._type_end(at + 1) != closed or closed + 1 >= len(tokens):
            return False
        before = tokens[at - 1] if at else tokens[at]
        if before.kind != "mark" and before.text not in _BEFORE_CAST:
            return False
        if before.text in (")", "]", ">") and at - 1 not in casts:
            return False
        after = tokens[closed + 1]
        return after.kind != "mark" or after.text == "(" or after.text in _PREFIX or after.text == "::"

    def _operand_end(self, at: int, casts: set[int]) -> int:
        """The index behind the operand of a cast, a unary expression that starts at `at`."""
        tokens = self.tokens
        i = at
        while True:
            if tokens[i].text in _PREFIX:
                i += 1
            elif tokens[i].text == "(" and self.match[i] in casts:
                i = self.match[i] + 1
            else:
                break
        i = self.match[i] + 1 if tokens[i].text == "(" else self._name_end(i)
        while i < len(tokens):
            if tokens[i].text in ("(", "["):
                i = self.match[i] + 1
            elif tokens[i].text in (".", "->"):
                i = self._name_end(i + 1)
            else:
                break
        return i

    def _name_end(self, at: int) -> int:
        """The index behind `a`, `a::b` or `a<T>`, where the latter is called or looked into."""
        i = at
        while True:
            if self.is_mark(i, "::") or self.is_mark(i, "template"):
                i += 1
            i += 1
            if self.is_mark(i, "<"):
                behind = self.angle_end(i, len(self.tokens))
                if behind != i and self.tokens[behind].text in ("(", "::", "{"):
                    i = behind
            if self.is_mark(i, "{") and i > at and self.is_mark(i - 1, ">"):
                return self.match[i] + 1
            if not self.is_mark(i, "::"):
                return i
