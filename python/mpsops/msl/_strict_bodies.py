"""Bodies of functions: what stands in them and clang reads otherwise, or not at all."""

from __future__ import annotations

from ._expressions import VECTOR
from ._strict_translator import ReportingTranslator


class BodyRewriter(ReportingTranslator):
    def body(self, open_brace: int) -> None:
        at, limit = open_brace + 1, self.match[open_brace]
        self.static_locals(at, limit)
        for i in range(at, limit):
            if self.tokens[i].kind == "name":
                self.vector_variable(i, limit)

    def vector_variable(self, at: int, limit: int) -> None:
        """`float4 x(a, b);` makes a vector as `float4 x = float4(a, b);` does."""
        tokens = self.tokens
        is_vector = VECTOR.match(tokens[at].text) is not None
        behind = at + 1
        if tokens[at].text == "vec" and self.is_mark(behind, "<"):
            is_vector, behind = True, self.angle_end(behind, limit)
        is_qualified = self.is_mark(at - 1, "::")
        if not is_vector and (is_qualified or tokens[at].text not in self.types):
            return
        if behind + 1 >= limit or tokens[behind].kind != "name" or not self.is_mark(behind + 1, "("):
            return
        close = self.match[behind + 1]
        # Of a template parameter or an alias it is known only that nothing else has several elements.
        enough = is_vector or len(list(self.split(behind + 2, close))) > 1
        if enough and close > behind + 2 and tokens[close + 1].text in (",", ";"):
            kind = self.spelling(at - 2 * is_qualified, behind)
            self.insert(tokens[behind].end, f" = ::mpsops_msl::make<{kind}>")

    def static_locals(self, at: int, limit: int) -> None:
        for i in range(at, limit):
            if self.tokens[i].text != "static":
                continue
            end = next(j for j in range(i, limit) if self.tokens[j].text in ("=", ";", "{", "(", "["))
            name = self.tokens[end - 1]
            self.report(name, "static-local", f"local variable '{name.text}' must not be static")
