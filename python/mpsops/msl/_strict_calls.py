"""Rules about what functions call, and what they and those have together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ._finding import Finding
from ._strict_constants import live
from ._syntax_tree import Node

MAX_THREADGROUP_BYTES = 32768
# What the rewriting declares for each threadgroup variable: its size.
BYTES = "mpsops_bytes_"
KERNEL = "mpsops_kernel"


@dataclass
class _Function:
    node: Node
    calls: dict[str, Node] = field(default_factory=dict)  # the function, and an expression that calls it
    threadgroup_bytes: int = 0
    is_kernel: bool = False


def calls(all_functions: list[Node], own: list[Node]) -> Iterator[Finding]:
    same: dict[str, str] = {}  # a declaration again to its first
    functions: dict[str, _Function] = {}
    for node in all_functions:
        same[node.address] = first = same.get(node.previous, node.previous) or node.address
        functions.setdefault(first, _Function(node))
    for node in own:
        _read(node, functions[same[node.address]])
    for function in functions.values():
        function.calls = {same[call]: at for call, at in function.calls.items() if call in same}
    yield from _recursion_and_memory(functions)
    for node in own:
        if not functions[same[node.address]].is_kernel:
            for child in node.walk():
                if child.kind == "EnumConstantDecl" and BYTES in child.head:
                    name = child.head.partition(BYTES)[2].split()[0]
                    message = f"threadgroup variable '{name}' must be declared in a kernel"
                    yield Finding(child.file, child.line, "threadgroup-variable", message, child.column)
    for function in functions.values():
        for call, at in function.calls.items():
            if function.is_kernel and functions[call].is_kernel:
                message = f"kernel '{function.node.name}' must not call kernel '{functions[call].node.name}'"
                yield Finding(at.file, at.line, "kernel-call", message, at.column)


def _read(node: Node, function: _Function) -> None:
    for child in live(node):
        for address, _ in child.referred:
            function.calls.setdefault(address, child)
        if child.kind == "EnumConstantDecl" and BYTES in child.head:
            function.threadgroup_bytes += sum(int(each.head) for each in child.walk() if each.kind == "value")
    function.is_kernel |= any(
        each.kind == "AnnotateAttr" and KERNEL in each.head + each.tail for each in node.children
    )


def _recursion_and_memory(functions: dict[str, _Function]) -> Iterator[Finding]:
    reached: dict[str, set[str]] = {}
    for address, function in functions.items():
        seen: set[str] = set()
        queue = list(function.calls)
        while queue:
            call = queue.pop()
            if call not in seen:
                seen.add(call)
                queue += functions[call].calls
        reached[address] = seen
    for address, function in functions.items():
        node = function.node
        if address in reached[address]:
            yield Finding(
                node.file, node.line, "recursion", f"'{node.name}' must not call itself", node.column
            )
        size = function.threadgroup_bytes
        if size > MAX_THREADGROUP_BYTES:
            limit = f"must be at most {MAX_THREADGROUP_BYTES} bytes, got {size}"
            message = f"threadgroup memory of '{node.name}' {limit}"
            yield Finding(node.file, node.line, "threadgroup-memory", message, node.column)
