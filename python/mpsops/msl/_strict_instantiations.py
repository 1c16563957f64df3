"""Templates: which of their instances the host can call, and functions as their arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ._declarations import Row
from ._strict_arguments import MAX_BUFFERS
from ._strict_translator import ReportingTranslator

# A function as an argument of a template, by its address.
_ADDRESS = re.compile(r"(?<=[<,])(\s*)&(\s*\w+\s*)(?=[,>])")


class InstantiationRewriter(ReportingTranslator):
    def register(self) -> None:
        self.functions_as_arguments()
        seen: dict[str, str] = {}
        for row in self.rows:
            where = self.source.where(row.token.start)
            if row.host in seen:
                message = f"name of a kernel must be unique, got '{row.host}' of {seen[row.host]}"
                self.report(row.token, "duplicate-kernel", message)
            seen.setdefault(row.host, where)
            if row.name not in self.kernels:
                raise self.source.fail(row.token, f"'{row.name}' is not a kernel")
            checks = "".join(f' static_assert({must}, "{message}");' for must, message in self.checks(row))
            # After the checks: a function with an error has no type.
            self.insert(row.offset, checks + self.instance(row))

    def checks(self, row: Row) -> Iterator[tuple[str, str]]:
        """What must be so, with a rule and a message."""
        candidates = self.kernels[row.name]
        kernel = candidates[-1]
        function = self.expression(row) or f" ::{kernel.scope}{row.name}"
        kind = f"decltype({function})"
        if row.type is not None and (len(candidates) > 1 or "<" not in function):
            kind = row.type.replace("(*)", "", 1)  # overloads: the parameters choose
        signature = f"::mpsops_msl::Signature<{kind}>"
        yield f"{signature}::is_void", f"[kernel] type that '{row.name}' returns must be void"
        yield f"{signature}::spaces", f"[kernel] pointers that '{row.name}' gets must not be thread"
        for parameter in kernel.parameters if len(candidates) == 1 else []:
            attribute, _, index = parameter.attribute[:-1].partition("<")
            if attribute.endswith("::Buffer") and not index.strip("() ").isdecimal():
                yield f"{index} < {MAX_BUFFERS}", f"[buffers] index must be below {MAX_BUFFERS}"

    def instance(self, row: Row) -> str:
        expression = self.expression(row)
        if not expression:
            return ""
        if row.type is None:
            return f" template decltype({expression}) {expression};"
        return f" template {row.type.replace('(*)', expression, 1)};"

    @staticmethod
    def expression(row: Row) -> str:
        return _ADDRESS.sub(r"\1\2", row.expression or "")

    # -- functions as arguments of templates

    def functions_as_arguments(self) -> None:
        """Passes them by reference: clang takes no pointer, which it puts into an address space."""
        tokens = self.tokens
        aliases: set[str] = set()
        for i, token in enumerate(tokens):
            if token.text == "template" and self.is_mark(i + 1, "<"):
                end = self.angle_end(i + 1, len(tokens))
                aliases.update(t.text for t in tokens[i + 2 : end] if t.kind == "name")
                self.refer(i + 2, end)
            elif self.is_address_of_function(i):
                self.replace(i, i + 1, "")
        for i, token in enumerate(tokens):
            if token.text == "using" and tokens[i + 1].text in aliases and self.is_mark(i + 2, "="):
                self.refer(i + 3, self.statement_end(i))
            elif token.text == "typedef":
                end = self.statement_end(i)
                if aliases.intersection(t.text for t in tokens[i:end] if t.kind == "name"):
                    self.refer(i + 1, end)

    def is_address_of_function(self, at: int) -> bool:
        before, after = self.tokens[at - 1].text, self.tokens[at + 2 : at + 3]
        is_argument = self.is_mark(at, "&") and before in ("<", ",") and after and after[0].text in (",", ">")
        return bool(is_argument) and self.tokens[at + 1].text in self.uses

    def statement_end(self, at: int) -> int:
        return next(i for i in range(at, len(self.tokens)) if self.is_mark(i, ";"))

    def refer(self, start: int, end: int) -> None:
        """`R (*name)(...)` of [start, end) becomes `R (&name)(...)`."""
        for i in range(start, end - 2):
            if self.is_mark(i, "(") and self.is_mark(i + 1, "*") and self.is_mark(self.match[i] + 1, "("):
                self.replace(i + 1, i + 2, "&")
