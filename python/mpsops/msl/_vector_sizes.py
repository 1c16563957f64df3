"""Sizes of vectors as template parameters: Metal deduces them as any integer, C++ as `int` alone."""

from __future__ import annotations

from ._rewriter import Rewriter

_INTEGERS = frozenset(
    ["uint", "size_t", "ushort", "uchar", "ulong", "long", "short", "char"]
    + [f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)]
)


class VectorSizeRewriter(Rewriter):
    def rewrite_vector_sizes(self) -> None:
        """`template <uint N> T f(vec<T, N>)`: `int N`."""
        for i, token in enumerate(self.tokens):
            if token.text != "template" or not self.is_mark(i + 1, "<"):
                continue
            behind = self.angle_end(i + 1, len(self.tokens))
            sizes = self._sizes(behind)
            for start, end in self.split(i + 2, behind - 1) if sizes else []:
                words = [t.text for t in self.tokens[start:end]]
                if len(words) >= 2 and words[0] in _INTEGERS and words[1] in sizes:
                    self.replace(start, start + 1, "int")

    def _sizes(self, at: int) -> set[str]:
        """Names N in `vec<T, N>` of the declaration's parameters, which start behind `at`."""
        tokens = self.tokens
        while at < len(tokens) and tokens[at].text not in ("(", "{", ";"):
            at += 1
        if not self.is_mark(at, "("):
            return set()
        names = set()
        for i in range(at, self.match[at]):
            if tokens[i].text in ("vec", "packed_vec") and self.is_mark(i + 1, "<"):
                arguments = self.split(i + 2, self.angle_end(i + 1, self.match[at]) - 1)
                if len(arguments) == 2 and arguments[1][1] - arguments[1][0] == 1:
                    names.add(tokens[arguments[1][0]].text)
        return names
