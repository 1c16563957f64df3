"""The translator with a list of findings."""

from __future__ import annotations

from ._finding import Finding
from ._targets import CPU
from ._tokens import Source, Token
from ._translate import Translator

# `device` gets a keyword because methods can be qualified with keywords only; `constant` the space in
# which clang accepts variables at program scope.
SPACES = {
    "device": "__local",
    "constant": "__global const",
    "thread": "__private",
    "threadgroup": "__attribute__((address_space(3)))",
}


class ReportingTranslator(Translator):
    def __init__(self, source: Source) -> None:
        super().__init__(source, CPU, {})
        self.findings: list[Finding] = []

    def report(self, token: Token, rule: str, message: str) -> None:
        self.findings.append(self.finding(token, rule, message))

    def finding(self, token: Token, rule: str, message: str) -> Finding:
        file, _, line = self.source.where(token.start).rpartition(":")
        column = token.start - self.source.text.rfind("\n", 0, token.start)
        return Finding(file, int(line), rule, message, column)
