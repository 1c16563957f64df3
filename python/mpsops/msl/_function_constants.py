"""Function constants: values that a kernel gets when it is compiled, by name or by index."""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass

from ._rewriter import Constants, Rewriter, Value
from ._targets import Target
from ._tokens import Source


@dataclass
class FunctionConstant:
    name: str
    index: int | None  # None where the source writes more than a number
    value: Value | None


class FunctionConstantRewriter(Rewriter):
    """`constant T name [[function_constant(n)]];` becomes a constant with an initialiser."""

    def __init__(self, source: Source, target: Target, constants: Constants) -> None:
        super().__init__(source, target, constants)
        self.function_constants: dict[str, FunctionConstant] = {}
        self.optional: set[str] = set()  # the source asks whether they are defined

    def function_constant(self, name: str, at: int, behind: int, argument: str) -> None:
        """The declaration of `name`, whose attribute is tokens [at, behind)."""
        index = _number(argument)
        value = self.constants.get(name)
        if value is None and index is not None:
            value = self.constants.get(index)
        self.function_constants[name] = FunctionConstant(name, index, value)
        initial = f"::mpsops_msl::make<__remove_cv(decltype({name}))>({_written(value)})"
        self.replace(at, behind, f" = {initial if value is not None else '{}'}")

    def is_defined(self, at: int) -> None:
        """is_function_constant_defined(name): known once all declarations are read."""
        end = self.match[at + 1]
        constant = self.function_constants.get(self.tokens[end - 1].text)
        if constant is None:
            raise self.source.fail(
                self.tokens[end - 1], f"'{self.tokens[end - 1].text}' is not a function constant"
            )
        self.optional.add(constant.name)
        self.replace(at, end + 1, "true" if constant.value is not None else "false")

    def check_constants(self) -> None:
        known = self.function_constants.values()
        names = {c.name for c in known} | {c.index for c in known}
        for key in self.constants:
            if key not in names:
                have = ", ".join(_label(c) for c in known) or "none"
                raise ValueError(f"compile: constants must be of the source's ({have}), got {key!r}")

    def missing_constants(self, reached: set[str]) -> str:
        """Those that are needed and have no value, for an error."""
        missing = [
            c
            for c in self.function_constants.values()
            if c.value is None and c.name not in self.optional and c.name in reached
        ]
        return ", ".join(_label(c) for c in missing)


def _label(constant: FunctionConstant) -> str:
    return constant.name if constant.index is None else f"{constant.name} ({constant.index})"


def _written(value: Value | None) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(_written(element) for element in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return '__builtin_nanf("")'
        return f"{value!r}f" if math.isfinite(value) else f"{'-' if value < 0 else ''}__builtin_inff()"
    return f"{value}L" if isinstance(value, int) and -(1 << 63) <= value < 1 << 63 else f"{value}UL"


def _number(text: str) -> int | None:
    """The value of a constant expression of numbers, after the preprocessor."""
    text = re.sub(r"(?<=[0-9a-fA-F])[uUlL]+\b", "", text)
    text = re.sub(r"(?<![\dx])0(?=\d)", "0o", text)
    if not re.fullmatch(r"[\da-fA-FxX\s+*()<|-]+", text):
        return None
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError:
        return None
    allowed = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.USub, ast.Constant, ast.Add, ast.Sub, ast.Mult)
    if not all(isinstance(node, (*allowed, ast.LShift, ast.BitOr)) for node in ast.walk(tree)):
        return None
    return int(eval(compile(tree, "index", "eval"), {"__builtins__": {}}))
