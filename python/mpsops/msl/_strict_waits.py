"""Loops that wait until another thread writes.

Found are loops that end only when an atomic load, exchange or compare-and-exchange, or a volatile read,
gives another value, while the loop itself changes nothing that this depends on. A loop that recomputes the
new value from the old one, as additions by compare-and-exchange do, always lets some thread get on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ._finding import Finding
from ._syntax_tree import Node

_LOOPS = {"WhileStmt": 0, "DoStmt": 1, "ForStmt": 2}
# Reads, and what changes nothing when it is done again.
_READ = re.compile(r"atomic_load(?:_explicit)?\Z")
_SWAP = re.compile(r"atomic_(?:exchange|compare_exchange_weak|fetch_(?:or|and|min|max))(?:_explicit)?\Z")
_ASSIGNMENTS = {"BinaryOperator"}
_ASSIGNS = re.compile(r"'='\s*$")
_INCREMENTS = re.compile(r"(?:prefix|postfix) '(?:\+\+|--)'")
_CALLS = {"CallExpr", "CXXMemberCallExpr", "CXXOperatorCallExpr"}
_LEAVES = {"BreakStmt", "ReturnStmt"}


def waits(function: Node) -> Iterator[Finding]:
    for node in function.walk():
        if node.kind in _LOOPS and _waits(node):
            message = "loop must not wait for another thread: it may never run"
            yield Finding(node.file, node.line, "forward-progress", message, node.column)


def _waits(loop: Node) -> bool:
    condition, body = _parts(loop)
    changed = _changed(loop)
    if condition is not None and not _is_constant(condition):
        return _only_another_thread_ends(condition, changed)
    exits = [child for child in body.walk() if child.kind == "IfStmt" and _leaves(child)]
    conditions = [_condition_of(child) for child in exits]
    if not conditions or _leaves_without_condition(body):
        return False
    return all(_only_another_thread_ends(each, changed) for each in conditions)


def _parts(loop: Node) -> tuple[Node | None, Node]:
    """The condition, and all of the loop."""
    children = loop.children
    if loop.kind == "DoStmt":
        return children[-1], loop
    if loop.kind == "WhileStmt":
        return (children[-2] if len(children) > 1 else None), loop
    # Initialiser, declaration in the condition, condition, step, body: absent ones are <<<NULL>>>, unseen.
    conditions = [child for child in children[:-1] if child.type.startswith("bool")]
    return (conditions[0] if conditions else None), loop


def _condition_of(statement: Node) -> Node:
    return next((child for child in statement.children if child.kind != "DeclStmt"), statement)


def _is_constant(node: Node) -> bool:
    return not any(child.kind in _CALLS or child.referred for child in node.walk())


def _leaves(statement: Node) -> bool:
    return any(child.kind in _LEAVES for child in statement.walk())


def _leaves_without_condition(body: Node) -> bool:
    inside = {id(child) for each in body.walk() if each.kind == "IfStmt" for child in each.walk()}
    return any(child.kind in _LEAVES and id(child) not in inside for child in body.walk())


def _only_another_thread_ends(condition: Node, changed: dict[str, list[Node | None]]) -> bool:
    """Whether `condition` depends on memory that others write, and on nothing that the loop changes."""
    if any(child.kind == "BinaryOperator" and "'&&'" in child.tail for child in condition.walk()):
        return False  # bounded, or so it seems
    seen: set[str] = set()
    queue = [condition]
    found = False
    while queue:
        for node, is_inside in _outside_of_calls(queue.pop()):
            if is_inside:
                if not _again_the_same(node, changed):
                    return False
                found = True
                continue
            for address, _ in node.referred:
                if address in changed and address not in seen:
                    seen.add(address)
                    for value in changed[address]:
                        # Changed otherwise than by reading: a counter, a next index.
                        if value is None or not _reads_shared(value):
                            return False
                        queue.append(value)
    return found


def _outside_of_calls(node: Node) -> Iterator[tuple[Node, bool]]:
    """The nodes of an expression; of a call that reads shared memory only itself, marked."""
    if _shared(node):
        yield node, True
        return
    yield node, False
    for child in node.children:
        yield from _outside_of_calls(child)


def _called(node: Node) -> str:
    if node.kind not in _CALLS or not node.children:
        return ""
    return next((name for child in node.children[0].walk() for _, name in child.referred if name), "")


def _shared(node: Node) -> bool:
    called = _called(node)
    if _READ.match(called) or _SWAP.match(called):
        return True
    if node.kind != "ImplicitCastExpr" or "<LValueToRValue>" not in node.tail:
        return False
    read = node.children[0].type if node.children else ""
    return "volatile" in read and ("__local" in read or "address_space(3)" in read)


def _reads_shared(node: Node) -> bool:
    return any(_shared(child) for child in node.walk())


def _again_the_same(node: Node, changed: dict[str, list[Node | None]]) -> bool:
    """Whether this does the same again in the next round: the same address, and nothing new to write."""
    called = _called(node)
    arguments = node.children[1:] if called else node.children
    if "compare_exchange" in called and len(arguments) > 2:
        arguments = [arguments[0], *arguments[2:]]  # what is expected comes from memory
        expected = {address for child in node.children[2].walk() for address, _ in child.referred}
    else:
        expected = set()
    named = {address for each in arguments for child in each.walk() for address, _ in child.referred}
    return not named & (set(changed) | expected)


def _changed(loop: Node) -> dict[str, list[Node | None]]:
    """The variables that the loop changes, with what they become; None where that is not an expression."""
    changed: dict[str, list[Node | None]] = {}

    def change(target: Node, value: Node | None) -> None:
        for child in target.walk():
            for address, _ in child.referred:
                changed.setdefault(address, []).append(value)

    for node in loop.walk():
        if node.kind in _ASSIGNMENTS and _ASSIGNS.search(node.tail):
            change(node.children[0], node.children[1])
        elif node.kind == "CompoundAssignOperator" or _INCREMENTS.search(node.tail):
            change(node.children[0], None)
        elif node.kind == "VarDecl" and node.children:
            changed.setdefault(node.address, []).append(node.children[-1])
        elif node.kind in _CALLS and not _shared(node):
            for argument in node.children[1:]:
                if " lvalue" in argument.tail or "prefix '&'" in argument.tail:
                    change(argument, None)
    return changed
