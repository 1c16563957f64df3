"""Functions and specialisations that differ in address spaces alone: on the CPU they are one."""

from __future__ import annotations

from ._rewriter import Rewriter
from ._tokens import OPEN

_SPACES = frozenset(["device", "threadgroup", "thread", "constant"])
_TYPES = frozenset(["struct", "class", "union", "enum"])


class AddressSpaceRewriter(Rewriter):
    def strip_space_attributes(self) -> None:
        """`[[threadgroup(0)]]` where it says nothing, on a parameter of what is no kernel."""
        for i, token in enumerate(self.tokens):
            behind = self.attribute_at(i) if token.text == "[" else i
            if behind != i and self.tokens[i + 2].text in _SPACES:
                self.replace(i, behind, "")

    def merge_address_spaces(self, at: int, limit: int, owner: str = "") -> None:
        """Keeps the first of the definitions in [at, limit) that are the same without address spaces.

        `owner` is the class whose members these are.
        """
        seen: dict[tuple[str, ...], bool] = {}
        for start, body, end in self._definitions(at, limit, owner):
            header = self._after_template(start, body)
            if self.tokens[header].text in ("namespace", "extern") or self._is_inline_namespace(header):
                self.merge_address_spaces(body + 1, self.match[body])
                continue
            key, spaces = self._signature(start, body, owner)
            if (spaces or seen.get(key)) and key in seen:
                self.replace(start, end, "")
                continue
            seen[key] = spaces
            if any(self.tokens[i].text in _TYPES for i in range(header, min(header + 1, body))):
                if self.is_mark(body, "{"):
                    self.merge_address_spaces(body + 1, self.match[body], self.tokens[header + 1].text)
            elif owner:
                self._member_qualifier(start, body, owner)

    def _definitions(self, at: int, limit: int, owner: str) -> list[tuple[int, int, int]]:
        """(start, body, end) of what has a body, or is a member; `body` is at the `{`, `=` or `;`."""
        tokens = self.tokens
        out: list[tuple[int, int, int]] = []
        while at < limit:
            if tokens[at].text in (";", "}"):
                at += 1
                continue
            if tokens[at].text in ("public", "private", "protected") and self.is_mark(at + 1, ":"):
                at += 2
                continue
            start = at
            body = -1
            call = False  # a parameter list was seen
            while at < limit:
                text = tokens[at].text
                if text == ";":
                    break
                if text == "<" and tokens[at - 1].text == "template":
                    behind = self.angle_end(at, limit)
                    at = behind if behind != at else at + 1
                    continue
                if text == "=" and body < 0 and not self._names_operator(at):
                    body = at
                if text == "(":
                    call = True
                if text == "{":
                    if body >= 0:  # an initialiser
                        at = self.match[at] + 1
                        continue
                    behind = self.match[at] + 1
                    if call and (self.is_mark(behind, ",") or self.is_mark(behind, "{")):
                        at = behind  # within a constructor's list of members
                        continue
                    body = at
                    at = behind
                    if self.is_mark(at, ";"):
                        break
                    at -= 1
                    break
                at = self.match[at] + 1 if text in OPEN else at + 1
            at = min(at, limit - 1)
            whole = at + 1
            if body < 0 and owner and call:
                body = at
            if body >= 0 and (call or self.is_mark(body, "{")):
                out.append((start, body, whole))
            at = whole
        return out

    def _names_operator(self, at: int) -> bool:
        """Whether the `=` at `at` is the end of `operator=`, `operator+=` or the like."""
        while at > 0 and self.tokens[at].kind == "mark" and self.tokens[at].text not in OPEN:
            at -= 1
        return self.tokens[at].text == "operator"

    def _after_template(self, start: int, body: int) -> int:
        while self.is_mark(start, "template") and self.is_mark(start + 1, "<"):
            behind = self.angle_end(start + 1, body)
            if behind == start + 1:
                break
            start = behind
        return start

    def _is_inline_namespace(self, at: int) -> bool:
        return self.is_mark(at, "inline") and self.is_mark(at + 1, "namespace")

    def _parameter_list(self, start: int, body: int) -> int:
        """The index of the `(` that opens a function's parameters, or -1."""
        i = self._after_template(start, body)
        while i < body:
            text = self.tokens[i].text
            if text == "<":
                behind = self.angle_end(i, body)
                i = behind if behind != i else i + 1
            elif text in ("decltype", "__attribute__", "alignas") and self.is_mark(i + 1, "("):
                i = self.match[i + 1] + 1
            elif text == "operator" and self.is_mark(i + 1, "(") and self.is_mark(i + 3, "("):
                return i + 3
            elif text == "(":
                return i
            elif text in OPEN:
                i = self.match[i] + 1
            else:
                i += 1
        return -1

    def _signature(self, start: int, body: int, owner: str) -> tuple[tuple[str, ...], bool]:
        """The tokens that tell definitions apart, and whether they name an address space."""
        tokens = self.tokens
        opened = self._parameter_list(start, body)
        end = body
        words: list[str] = []
        spaces = False

        def take(first: int, last: int) -> None:
            nonlocal spaces
            for i in range(first, last):
                text = tokens[i].text
                if text in _SPACES:
                    spaces = True
                    if text == "constant":
                        words.append("const")
                elif text not in ("inline", "METAL_FUNC"):
                    words.append(text)

        if opened < 0:
            take(start, end)
            return tuple(words), spaces
        closed = self.match[opened]
        take(start, opened + 1)
        words = [word for i, word in enumerate(words) if word != "const" or words[i - 1 : i] != ["const"]]
        for first, last in self.split(opened + 1, closed):
            words.append(",")
            before = len(words)
            named = last - first > 1 and tokens[last - 1].kind == "name"
            take(first, last - 1 if named and tokens[last - 1].text not in _SPACES else last)
            # The order of const and the type says nothing, nor how often it is said.
            part = words[before:]
            constants = part.count("const") > 0 and ("*" in part or "&" in part)
            words[before:] = (["const"] if constants else []) + [w for w in part if w != "const"]
        words.append(")")
        name = tokens[opened - 1].text
        trailing = []
        i = closed + 1
        while i < body and tokens[i].text not in (":", "{", "=", ";"):
            if tokens[i].text in _SPACES:
                spaces = True
            trailing.append("const" if tokens[i].text == "constant" and name != owner else tokens[i].text)
            i += 1
        words += dict.fromkeys(word for word in trailing if word not in _SPACES)
        return tuple(words), spaces

    def _member_qualifier(self, start: int, body: int, owner: str) -> None:
        """`T() constant` and `f() const constant` of a class: constructors are never const."""
        opened = self._parameter_list(start, body)
        if opened < 0:
            return
        constant = []
        i = self.match[opened] + 1
        while i < body and not self.is_mark(i, ":"):  # what follows initialises members
            if self.tokens[i].text in ("const", "constant"):
                constant.append(i)
            i += 1
        keep = 0 if self.tokens[opened - 1].text == owner else 1
        for i in constant[keep:]:
            if self.is_mark(i, "constant") or keep == 0:
                self.replace(i, i + 1, "")
