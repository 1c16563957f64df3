"""What clang says about a kernel source, as findings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ._finding import Finding
from ._names import OUT_OF_SCOPE, in_metal_instead, is_foreign_header
from ._strict_rewrite import in_metal

_INCLUDED = re.compile(r"^In file included from (.*?):(\d+)[:,]$")
DIAGNOSTIC = re.compile(r"^(.*?):(\d+):(\d+): (?:fatal )?(error|note): (.*)", re.MULTILINE)
_SPACE = re.compile(r"\b(?:device|constant|threadgroup|thread)\b")
# Metal binds `const thread T&` to a temporary and calls methods of one; C++ for OpenCL, whose temporaries
# are in no address space, does not. Nor does it take an incomplete list for a vector, a list as a vector
# argument, operands of ?: that are objects in different spaces, or string literals for `constant char*`.
# It casts vectors to others of as many elements, written as in C too.
# Its comparisons of vectors yield integers, which here have no name, where Metal's yield bools.
# Published kernels initialise threadgroup variables, which OpenCL forbids.
# Metal converts the scalar beside a vector to the vector's elements (section 3.1), but for bfloat.
_ACCEPTED = re.compile(
    r"cannot initialize object parameter of type '(?:const )?thread (?P<type>.+)' with an expression of type "
    r"'(?:const )?(?P=type)'"
    r"|reference of type 'const thread .*' cannot bind to a temporary object because of address space"
    r"|cannot bind reference in default address space to object in address space 'thread'"
    r"|cannot deduce a type for '\w+' that would make 'const thread [^']*' equal "
    r"'(?!(?:const )?(?:device|constant|threadgroup|thread)\b)"
    r"|reference to type 'const thread .*' cannot bind to a value of unrelated type"
    r"|too few elements in vector initialization"
    r"|'const __constant char\["
    r"|cannot convert initializer list argument to '[^']*' \(vector of"
    r"|conditional expression is ambiguous; .* can be converted to several common types"
    r"|'unsigned _BitInt\(8\)' values\).*'(?:char|short|int|long) __attribute__\(\(ext_vector_type"
    r"|'(?:char|short|int|long) __attribute__\(\(ext_vector_type.*'unsigned _BitInt\(8\)' values\)"
    r"|'this' object is in (?:default address space|address space '__generic'), but method expects object in "
    r"address space 'thread'"
    r"|automatic variable qualified with an (?:invalid )?address space"
    r"|invalid vector element type 'bool'"
    r"|C-style cast from vector '[^']*' \(vector of (?P<n>\d).*\) to vector '[^']*' \(vector of (?P=n) "
    r"|scalar operand type has greater rank than the type of the vector element(?!.*bfloat)"
)
# What clang says next of a template instance in which it found an accepted error.
_FOLLOWS = re.compile(
    r"subscripted value is not an array"
    r"|candidate template ignored: substitution failure .*\bbool\b"
    r"|candidate template ignored: invalid explicitly-specified argument"
)
_UNDECLARED = re.compile(
    r"use of undeclared (?:identifier|template) '(?P<undeclared>\w+)'|unknown type name '(?P<type>\w+)'"
    r"|no (?:member|type|template)(?: template)? named '(?P<member>\w+)'|'(?P<file>[^']+)' file not found"
)
_CONVERSION = re.compile(
    r"implicit conversions between vector types"
    r"|scalar operand type has greater rank"
    r"|cannot (?:initialize|assign|convert).*\b(?:bfloat|__bf16)\b"
    r"|cannot (?:initialize|assign|convert).*\(vector of"
)
_RULES = [
    (r"static assertion failed.*?: \[(?P<rule>\S+)\] (?P<message>.*)", ""),
    (r"(?P<message>.*out of scope of the simulator.*)", "out-of-scope"),
    (r"(?P<message>.*before C\+\+17)", "c++17"),
    (r"(?P<message>no matching function for call to 'atomic_.*)", "atomics"),
    (r"(?P<message>.*cannot be narrowed from type.*?)(?: \[-W.*)?$", "narrowing"),
    (r"default initialization of an object of const type 'constant (?P<what>.*?)'", "constant-initializer"),
    (r"initializer element is not a compile-time constant|global constructor", "constant-initializer"),
    (r"function variable cannot be declared in (?:local|constant|global) address space", "address-space"),
    (r"invalid prototype, variadic arguments", "restriction"),
    (r"(?P<message>.*is not contextually convertible to 'bool'.*)", "vector-condition"),
    (r"(?P<message>vector condition type.*)", "vector-condition"),
    (r"(?P<message>used type '.*\(vector of.*where arithmetic or pointer type.*)", "vector-condition"),
]  # fmt: skip
_MESSAGES = {
    "constant-initializer": "variable at program scope must be initialised with a constant expression",
    "address-space": "variable of a function must be in thread or threadgroup memory",
    "restriction": "Metal has no variadic functions",
}


def diagnostics(output: str, system: tuple[str, ...]) -> Iterator[Finding]:
    """clang's errors, each judged with the notes that follow it. Columns are of the text that clang read."""
    error: re.Match[str] | None = None
    notes: list[re.Match[str]] = []
    accepted = _ACCEPTED
    if _ACCEPTED.search(in_metal(output)):
        accepted = re.compile(f"{_ACCEPTED.pattern}|{_FOLLOWS.pattern}")
    for match in [*DIAGNOSTIC.finditer(output), None]:
        if match is not None and match[4] == "note":
            notes.append(match)
            continue
        if error is not None:
            message, *said = (in_metal(each[5]) for each in (error, *notes))
            # Where it is the standard library that does not compile, something of ours asked for it.
            places = [(each[1], int(each[2]), int(each[3])) for each in (error, *notes)]
            place = next((each for each in places if not each[0].startswith(system)), None)
            file, line, column = place or _includer(output[: error.start()], system) or places[0]
            if not any(accepted.search(text) for text in (message, *said)):
                rule, message, fix = _classify(message, said)
                yield Finding(file, line, rule, _shorter(message), column, fix)
        error, notes = match, []


def _includer(before: str, system: tuple[str, ...]) -> tuple[str, int, int] | None:
    """Where the source included the library's file that has an error; clang says it in the lines before."""
    for line in reversed(before.splitlines()):
        found = _INCLUDED.match(line)
        if found is None:
            break
        if not found[1].startswith(system):
            return found[1], int(found[2]), 0
    return None


def _shorter(message: str) -> str:
    """Without what a type is by another name: Metal's says it."""
    message = re.sub(r" \((?:aka '[^']*'|vector of \d '[^']*' values)\)", "", message)
    return message.replace("_Float16", "half").replace("__bf16", "bfloat")


def _classify(message: str, notes: Sequence[str]) -> tuple[str, str, str]:
    """The rule that clang's message is about, the message, and what to do if that is known."""
    for pattern, rule in _RULES:
        if found := re.search(pattern, message):
            groups = found.groupdict()
            return groups.get("rule") or rule, groups.get("message") or _MESSAGES[rule], ""
    if found := _UNDECLARED.search(message):
        return _missing(message, found)
    if any(_between_spaces(text) for text in (message, *notes)):
        return "address-space", message, ""
    if any(_CONVERSION.search(text) for text in (message, *notes)):
        return "implicit-conversion", message, ""
    return "compile", message, ""


def _missing(message: str, found: re.Match[str]) -> tuple[str, str, str]:
    if file := found["file"]:
        if OUT_OF_SCOPE.match(file):
            return "out-of-scope", f"<{file}> is not known to this check", ""
        fix = "Metal has its own: #include <metal_stdlib>" if is_foreign_header(file) else ""
        return "include", f"#include must name a file that exists, got {file}", fix
    name = found["undeclared"] or found["type"] or found["member"]
    if "in namespace 'std'" in message:
        name = "std"
    if fix := in_metal_instead(name):
        return "not-in-metal", f"Metal has no '{name}'", fix
    if OUT_OF_SCOPE.match(name):
        return "out-of-scope", f"'{name}' is not known to this check", ""
    return "unknown-name", message, ""


def _between_spaces(message: str) -> bool:
    if re.search(r"address space|cannot assign .*'constant ", message):
        return True
    quoted = re.findall(r"'([^']*)'", message)
    if not re.search(r"object parameter|cannot deduce a type", message):
        quoted = [each for each in quoted if each[-1:] in ("*", "&", "]")]
    return len({tuple(_SPACE.findall(each)) for each in quoted}) > 1
