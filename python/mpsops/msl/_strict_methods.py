"""Methods: C++ for OpenCL wants their object's address space behind the parameters."""

from __future__ import annotations

from ._strict_bodies import BodyRewriter
from ._strict_translator import SPACES
from ._tokens import OPEN

# Behind a method's parameters: without const, which a constructor cannot have. `threadgroup` is no
# keyword; such a method is called on such objects because on all others another one is better.
_METHOD_SPACES = SPACES | {"constant": "__global", "threadgroup": "__generic"}
_CONSTRUCTOR_SPACES = _METHOD_SPACES | {"thread": "__generic", "threadgroup": "__private"}
_TYPES = {"struct", "class", "union"}


class MethodRewriter(BodyRewriter):
    def methods(self, body: int, header: list[str]) -> None:
        """Puts the object of methods that do not say otherwise into `thread`, as Metal does before 4.1."""
        tokens = self.tokens
        names = [header[i + 1] for i in range(len(header) - 1) if header[i] in _TYPES]
        at, limit = body + 1, self.match[body]
        while at < limit:
            start = at
            parts: list[int] = []
            while at < limit and tokens[at].text not in (";", "{", ":", "="):
                if tokens[at].text == "template" and self.is_mark(at + 1, "<"):
                    at = self.angle_end(at + 1, limit)
                    continue
                behind = self.attribute_at(at)
                if behind == at:
                    parts.append(at)
                    behind = self.match[at] + 1 if tokens[at].text in OPEN else at + 1
                    if tokens[at].text == "operator" and not self.is_mark(behind, "("):
                        behind += 1  # operator= and operator[] are names
                at = behind
            texts = [tokens[i].text for i in parts]
            is_function = self.method(parts, at, names[-1:])
            while at < limit and tokens[at].text not in (";", "{"):
                at += 1
            # The braces of a member initialiser are followed by more.
            while (
                is_function
                and self.is_mark(at, "{")
                and tokens[at - 1].kind == "name"
                and tokens[at - 2].text in ":,"
            ):
                at = self.match[at] + 1
                while at < limit and tokens[at].text not in (";", "{"):
                    at += 1
            if self.is_mark(at, "{"):
                if is_function:
                    self.body(at)
                elif _TYPES & set(texts):
                    self.methods(at, texts)
                at = self.match[at]
            at = max(at, start) + 1

    def method(self, parts: list[int], stop: int, type_name: list[str]) -> bool:
        tokens = self.tokens
        name, open_paren = self.declared_name(parts, stop)
        if open_paren < 0:
            return False
        if self.is_mark(open_paren - 1, "operator"):
            open_paren = self.match[open_paren] + 1
        texts = {tokens[i].text for i in parts}
        if texts & {"friend", "typedef", "using", "static_assert"} or tokens[open_paren + 1].text == "*":
            return False
        if "static" in texts:
            return True
        # A constructor also makes temporaries, which are in no space.
        written = _CONSTRUCTOR_SPACES if name in type_name else _METHOD_SPACES
        close = self.match[open_paren]
        qualifiers = [i for i in range(close + 1, stop) if tokens[i].text in SPACES]
        for i in qualifiers:
            self.replace(i, i + 1, f"{written[tokens[i].text]} ")
        if not qualifiers:
            self.insert(tokens[close].end, f" {written['thread']} ")
        return True
