from __future__ import annotations

from dataclasses import dataclass

from ._rules import RULES, Section


@dataclass(frozen=True, order=True)
class Finding:
    """What is wrong, and where.

    Attributes:
        file: as the source spells it.
        line: from 1.
        rule: a name in `RULES`.
        message: what was found.
        column: from 1, or 0 where only the line is known.
        fix: what to do, where more is known than the rule says.
    """

    file: str
    line: int
    rule: str
    message: str
    column: int = 0
    fix: str = ""

    @property
    def section(self) -> Section:
        """Of the Metal Shading Language Specification."""
        return RULES[self.rule].section

    @property
    def level(self) -> str:
        """ "error", or "warning" for what Apple's compiler takes."""
        return "error" if RULES[self.rule].level == "error" else "warning"

    @property
    def advice(self) -> str:
        return self.fix or RULES[self.rule].fix

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" + (f":{self.column}" if self.column else "")
        return f"{place}: {self.level}: {self.message} [{self.rule}]"
