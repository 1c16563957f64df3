from __future__ import annotations

from dataclasses import dataclass

# Sections of the Metal Shading Language Specification, version 3.1.
_SECTIONS = {
    "address-space": "4",
    "c++14": "1.5",
    "double": "2.1",
    "function-pointer": "1.5.4",
    "kernel": "5.1.3",
    "lambda": "1.5.4",
    "program-scope": "4",
    "recursion": "1.5.4",
    "restriction": "1.5.4",
    "static-local": "4",
}


@dataclass(frozen=True, order=True)
class Finding:
    file: str
    line: int
    rule: str
    message: str

    @property
    def where(self) -> str:
        """The section of the Metal Shading Language Specification, where it has one."""
        return _SECTIONS.get(self.rule, "")

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}: {self.message}"
