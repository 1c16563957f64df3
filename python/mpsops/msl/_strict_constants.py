"""Conditions whose value a template's arguments fix: what they exclude is not in the kernel."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator

from ._syntax_tree import Node

_EXPRESSIONS = ("Expr", "Operator", "Literal")
_TRANSPARENT = {"SubstNonTypeTemplateParmExpr", "ParenExpr", "ImplicitCastExpr", "ConstantExpr"}
_OPERATORS: dict[str, Callable[[int, int], int]] = {
    "'=='": operator.eq,
    "'!='": operator.ne,
    "'<'": operator.lt,
    "'<='": operator.le,
    "'>'": operator.gt,
    "'>='": operator.ge,
    "'&'": operator.and_,
    "'+'": operator.add,
    "'-'": operator.sub,
    "'*'": operator.mul,
}


def value(node: Node) -> int | None:
    """Of an expression of literals; None of all others."""
    last = node.tail.split()[-1] if node.tail else ""
    if node.kind == "CXXBoolLiteralExpr":
        return int(last == "true")
    if node.kind == "IntegerLiteral" and last.isdecimal():
        return int(last)
    operands = [value(child) for child in node.children if child.kind.endswith(_EXPRESSIONS)]
    if node.kind in _TRANSPARENT and operands:
        return operands[-1]
    if node.kind == "UnaryOperator" and "'!'" in node.tail and operands[0] is not None:
        return int(not operands[0])
    if node.kind == "BinaryOperator" and len(operands) == 2:
        return _of_two(last, operands[0], operands[1])
    return None


def _of_two(written: str, left: int | None, right: int | None) -> int | None:
    if written in ("'&&'", "'||'"):
        decisive = int(written == "'||'")
        known = {int(bool(each)) for each in (left, right) if each is not None}
        if decisive in known:
            return decisive
        return None if None in (left, right) else 1 - decisive
    if left is None or right is None or written not in _OPERATORS:
        return None
    return int(_OPERATORS[written](left, right))


def live(root: Node) -> Iterator[Node]:
    """This and the nodes below, without the branches of `if` that are never taken."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack += reversed(_taken(node))


def _taken(node: Node) -> list[Node]:
    children = node.children
    if node.kind != "IfStmt" or len(children) < 2:
        return children
    has_else = "has_else" in node.head + node.tail
    before, branches = (children[:-2], children[-2:]) if has_else else (children[:-1], children[-1:])
    condition = value(before[-1])
    if condition is None:
        return children
    return branches[:1] if condition else branches[1:]
