"""What clang accepts and Apple's compiler does not, found in clang's syntax tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ._finding import Finding
from ._strict_calls import calls
from ._strict_waits import waits
from ._syntax_tree import Node, declarations

FUNCTIONS = {"FunctionDecl", "CXXMethodDecl", "CXXConversionDecl", "CXXConstructorDecl"}
_VARIABLES = {"ParmVarDecl", "VarDecl", "FieldDecl", "TypedefDecl", "TypeAliasDecl"}
_CASTS = {"CStyleCastExpr", "CXXStaticCastExpr", "CXXReinterpretCastExpr", "CXXFunctionalCastExpr"}
# The first * or & of a type, in front of which there is no address space, or the one that clang puts there.
_UNQUALIFIED = re.compile(
    r"(?!.*\bauto\b)(?:(?!__local|__global|__private|__constant|address_space)[^*&()])*([*&])"
)
# In template arguments: no bracket.
_COMPARISON = re.compile(r"[<>]=")
_FUNCTION_POINTER = re.compile(r"\((?:__\w+ )*\*[^()]*\)\(")
# Scalars and vectors, of whatever name: not templates that have them as arguments.
_BFLOAT = re.compile(r"(?:const |volatile |__\w+ )*__bf16\b")
_IN_FLOAT = re.compile(r"ComputeResultTy='(?:[^']*':')?float'")
_HALF = re.compile(r"(?:const |volatile |__\w+ )*_Float16\b")


def findings(dump: str, ours: Callable[[str], bool]) -> Iterator[Finding]:
    """Of the nodes whose file is `ours`. Columns are of the text that clang read."""
    functions: list[Node] = []
    for declaration in declarations(dump, ours):
        for node in declaration.walk():
            if node.kind in FUNCTIONS:
                functions.append(node)
            if ours(node.file):
                for rule, message in _of_node(node):
                    yield Finding(node.file, node.line, rule, message, node.column)
    own = [function for function in functions if ours(function.file)]
    yield from calls(functions, own)
    for function in own:
        yield from waits(function)


def _of_node(node: Node) -> Iterator[tuple[str, str]]:
    kind, tail = node.kind, node.tail
    if kind in _VARIABLES or kind in _CASTS or kind in FUNCTIONS:
        yield from _of_type(node)
    elif kind == "LambdaExpr":
        yield "lambda", "Metal has no lambda expressions before 3.2"
    elif kind == "ImplicitCastExpr" and "<FloatingCast>" in tail and "part_of_explicit_cast" not in tail:
        to, source = node.full_type, node.children[0].full_type if node.children else ""
        if _BFLOAT.match(to):
            yield "implicit-conversion", "conversion to bfloat must be explicit"
        elif _HALF.match(to) and _BFLOAT.match(source):
            yield "implicit-conversion", "conversion of bfloat to half must be explicit"
    elif kind == "CompoundAssignOperator" and _BFLOAT.match(node.full_type) and _IN_FLOAT.search(tail):
        yield "implicit-conversion", "conversion to bfloat must be explicit"
    elif kind == "ConditionalOperator" and node.children and "ext_vector" in node.children[0].full_type:
        yield "vector-condition", "condition of ?: must be a bool, not a vector"
    elif kind == "GCCAsmStmt":
        yield "restriction", "Metal has no asm statements"
    if kind == "FunctionDecl" and node.name == "main":
        yield "main", "a function must not be called 'main'"


def _of_type(node: Node) -> Iterator[tuple[str, str]]:
    written = _without_arguments(_COMPARISON.sub("", node.type))
    if node.kind in FUNCTIONS:
        written = written.partition("(")[0]
    is_function_pointer = _FUNCTION_POINTER.search(written)
    if is_function_pointer and node.kind in _VARIABLES:
        yield "function-pointer", f"'{node.name}' must not be a pointer to a function"
    elif not is_function_pointer and (mark := _UNQUALIFIED.match(written)):
        what = "pointer" if mark[1] == "*" else "reference"
        name = "" if node.kind in _CASTS else f" {node.name!r}"
        yield "address-space", f"{what}{name} must have an explicit address space"


def _without_arguments(written: str) -> str:
    """A type without template arguments and sizes of arrays, where * and & multiply and combine."""
    shorter = re.sub(r"<[^<>]*>|\[[^\[\]]*\]", "", written)
    return written if shorter == written else _without_arguments(shorter)
