"""What clang accepts and Apple's compiler does not, found in the dump of clang's syntax tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ._finding import Finding

_NODE = re.compile(
    r"([ |`-]*)(\w+) (0x[0-9a-f]+)(?: parent 0x[0-9a-f]+)?(?: prev (0x[0-9a-f]+))? ?([^']*)(.*)"
)
_PLACE = re.compile(r"(?:line|([^\s<>,:][^<>,:]*)):(\d+):\d+(?=[,> ])")
_REFERENCE = re.compile(r"(?:Function|CXXMethod|CXXConversion|->\S*|\.\S*) (0x[0-9a-f]+)")
_FUNCTIONS = {"FunctionDecl", "CXXMethodDecl", "CXXConversionDecl", "CXXConstructorDecl"}
_VARIABLES = {"ParmVarDecl", "VarDecl", "FieldDecl", "TypedefDecl", "TypeAliasDecl"}
_CASTS = {"CStyleCastExpr", "CXXStaticCastExpr", "CXXReinterpretCastExpr", "CXXFunctionalCastExpr"}
# The first * or & of a type, in front of which there is no address space, or the one that clang puts there.
_UNQUALIFIED = re.compile(
    r"(?!.*\bauto\b)(?:(?!__local|__global|__private|__constant|address_space)[^*&()])*([*&])"
)
_FUNCTION_POINTER = re.compile(r"\((?:__\w+ )*\*[^()]*\)\(")
_BFLOAT = r"'[^']*\b(?:bfloat|__bf16)'(?::'[^']*')?"
_TO_BFLOAT = re.compile(rf"{_BFLOAT} <FloatingCast>|{_BFLOAT} .*ComputeResultTy='float'")
_CONVERSIONS = {"ImplicitCastExpr", "CompoundAssignOperator"}
_VALUE = re.compile(r"value: Int (\d+)")
_MAX_THREADGROUP_BYTES = 32768


@dataclass
class _Function:
    name: str
    file: str
    line: int
    calls: set[str] = field(default_factory=set)
    threadgroup_bytes: int = 0


def findings(dump: str, ours: Callable[[str], bool]) -> Iterator[Finding]:
    """Of the nodes whose file is `ours`."""
    functions: dict[str, _Function] = {}
    same: dict[str, str] = {}  # a declaration again to its first
    open_functions: list[tuple[int, _Function]] = []
    file, line = "", 0
    hidden = -1  # the depth of something that nobody wrote
    enumerator: tuple[int, _Function] | None = None  # the depth of one that is a size in bytes
    for text in dump.splitlines():
        node = _NODE.match(text)
        if node is None:
            if enumerator and (value := _VALUE.search(text)):
                enumerator[1].threadgroup_bytes += int(value[1])
                enumerator = None
            continue
        indent, kind, address, previous, head, tail = node.groups()
        for place in _PLACE.finditer(head):
            file, line = place[1] or file, int(place[2])
        depth = len(indent)
        if enumerator and depth <= enumerator[0]:
            enumerator = None
        while open_functions and open_functions[-1][0] >= depth:
            open_functions.pop()
        if 0 <= hidden < depth:
            continue
        if kind.endswith("Decl") and " implicit " in f" {head} ":
            hidden = depth
            continue
        hidden = -1
        if kind in _FUNCTIONS:
            same[address] = first = same.get(previous, previous) if previous else address
            name = head.split()[-1] if head.split() else "?"
            function = functions.setdefault(first, _Function(name, file, line))
            if ours(file):
                open_functions.append((depth, function))
        elif open_functions:
            open_functions[-1][1].calls.update(_REFERENCE.findall(tail))
            if kind == "EnumConstantDecl" and "mpsops_bytes_" in head:
                enumerator = depth, open_functions[-1][1]
        if ours(file):
            for rule, message in _of_node(kind, head, tail):
                yield Finding(file, line, rule, message)
    for function in functions.values():
        function.calls = {same[call] for call in function.calls if call in same}
    yield from _of_calls(functions)


def _of_node(kind: str, head: str, tail: str) -> Iterator[tuple[str, str]]:
    name = head.rstrip().rpartition(" ")[2]
    written = _without_arguments(tail[1 : tail.index("'", 1)] if tail.startswith("'") else "")
    if kind in _VARIABLES or kind in _CASTS or kind in _FUNCTIONS:
        if kind in _FUNCTIONS:
            written = written.partition("(")[0]
        is_function_pointer = _FUNCTION_POINTER.search(written)
        if is_function_pointer and kind in _VARIABLES:
            yield "function-pointer", f"'{name}' must not be a pointer to a function"
        elif not is_function_pointer and (mark := _UNQUALIFIED.match(written)):
            what = (
                f"{'pointer' if mark[1] == '*' else 'reference'}{f' {name!r}' if kind not in _CASTS else ''}"
            )
            yield "address-space", f"{what} must have an explicit address space"
    elif kind == "LambdaExpr":
        yield "lambda", "Metal 3.1 has no lambda expressions"
    elif kind in _CONVERSIONS and _TO_BFLOAT.match(tail) and "part_of_explicit_cast" not in tail:
        yield "implicit-conversion", "conversion to bfloat must be explicit"


def _without_arguments(written: str) -> str:
    """A type without template arguments and sizes of arrays, where * and & multiply and combine."""
    shorter = re.sub(r"<[^<>]*>|\[[^\[\]]*\]", "", written)
    return written if shorter == written else _without_arguments(shorter)


def _of_calls(functions: dict[str, _Function]) -> Iterator[Finding]:
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
        if address in reached[address]:
            yield Finding(
                function.file, function.line, "recursion", f"'{function.name}' must not call itself"
            )
        size = function.threadgroup_bytes
        if size:
            size += sum(functions[call].threadgroup_bytes for call in reached[address] - {address})
        if size > _MAX_THREADGROUP_BYTES:
            limit = f"must be at most {_MAX_THREADGROUP_BYTES} bytes, got {size}"
            message = f"threadgroup memory of '{function.name}' {limit}"
            yield Finding(function.file, function.line, "threadgroup-memory", message)
