"""Finds what Apple's Metal compiler rejects and the simulator's does not.

The simulator compiles address spaces to nothing. Here the text that a Mac compiles is checked as C++ for
OpenCL, where `device`, `constant`, `threadgroup` and `thread` are as different as in Metal.

    python -m mpsops.msl.strict -I FOLDER... FILE...
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ._compiler import CompileError, clang, include_directory, preprocess
from ._finding import Finding
from ._strict_rewrite import in_metal, rewrite
from ._strict_tree import findings
from .flatten import FlattenError, flatten

__all__ = ["CONSERVATIVE", "Finding", "check", "main"]

# Apple's compiler accepts these in some versions of the language or for some kernels; ours do without.
CONSERVATIVE = frozenset(["c++14", "function-pointer", "lambda", "recursion"])

# What clang says that no rule is about.
_UNNAMED = frozenset(["compile", "unsupported"])
_INCLUDE = Path(__file__).resolve().parent / "strict_include"
_OPTIONS = [
    *["-x", "clcpp", "-cl-std=clc++2021", "-cl-no-stdinc", "-nostdinc", "-fsigned-char"],
    *["-fsyntax-only", "-ferror-limit=0", "-fno-caret-diagnostics", "-fno-color-diagnostics"],
    *["-Wno-everything", "-Werror=pre-c++17-compat", "-Xclang", "-ast-dump"],
]
# c10 passes functions by pointer, and Metal has that since 2.3.
_POINTERS = "#pragma OPENCL EXTENSION __cl_clang_function_pointers : enable\n"
_DIAGNOSTIC = re.compile(r"(.*?):(\d+):\d+: (?:fatal )?(error|note): (.*)")
_SPACE = re.compile(r"\b(?:device|constant|threadgroup|thread)\b")
# Metal binds `const thread T&` to a temporary and calls methods of one; C++ for OpenCL, whose temporaries
# are in no address space, does not. Nor does it take an incomplete list for a vector, a list as a vector
# argument, operands of ?: that are objects in different spaces, or string literals for `constant char*`.
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
)
_MISSING = re.compile(
    r"undeclared identifier|unknown type name|no (?:member|type|template) named"
    r"|file not found|default initialization of an object of const type 'constant"
    r"|automatic variable qualified with an invalid address space|invalid vector element type 'bool'"
)


def check(
    text: str, name: str, *, defines: Sequence[str] = (), third_party: Sequence[str] = ("c10/",)
) -> list[Finding]:
    """What is wrong with the flattened `text` of a kernel family, called `name` where it has no marker.

    Of files whose names begin with one of `third_party`, what Apple's compiler is known to take is left out.
    """
    source = "".join(f"#define {define.replace('=', ' ')}\n" for define in defines)
    source += f'#line 1 "{name}"\n{text}'
    system = (str(include_directory()), str(_INCLUDE))
    try:
        preprocessed = preprocess(source, name, checked=False, include=[_INCLUDE])
    except CompileError as error:
        if refused := set(_diagnostics(str(error), system)):
            return sorted(refused)
        raise
    rewritten, found = rewrite(preprocessed, system)
    if rewritten:
        done = subprocess.run(
            [*clang()[0], *_OPTIONS, "-"],
            input=_POINTERS + rewritten,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 and not _DIAGNOSTIC.search(done.stderr):
            raise CompileError(f"mpsops: the strict check cannot run clang\n{done.stderr.strip()}")
        found += _diagnostics(done.stderr, system)
        found += findings(done.stdout, lambda file: file != "" and not file.startswith((*system, "<")))
    # What a rule names, clang need not complain about in its own way.
    named = {(f.file, f.line) for f in found if f.rule not in _UNNAMED}
    return sorted(
        {
            f
            for f in found
            if not (f.rule in CONSERVATIVE and f.file.startswith(tuple(third_party)))
            and not (f.rule in _UNNAMED and (f.file, f.line) in named)
        }
    )


def _diagnostics(output: str, system: tuple[str, ...]) -> Iterator[Finding]:
    """clang's errors, each judged with the notes that follow it."""
    error: re.Match[str] | None = None
    notes: list[re.Match[str]] = []
    for match in [*_DIAGNOSTIC.finditer(output), None]:
        if match is not None and match[3] == "note":
            notes.append(match)
            continue
        if error is not None:
            message, *said = (in_metal(each[4]) for each in (error, *notes))
            # Where it is the standard library that does not compile, something of ours asked for it.
            place = next((each for each in (error, *notes) if not each[1].startswith(system)), error)
            if not any(_ACCEPTED.search(text) for text in (message, *said)):
                yield Finding(place[1], int(place[2]), *_classify(message, said))
        error, notes = match, []


def _classify(message: str, notes: Sequence[str]) -> tuple[str, str]:
    """The rule that clang's message is about, and the message."""
    if custom := re.search(r"static assertion failed.*?: \[(\S+)\] (.*)", message):
        return custom[1], custom[2]
    if "before C++17" in message:
        return "c++14", message.partition(" [-W")[0]
    if "no matching function for call to 'atomic_" in message:
        return "atomics", f"{message} in these address spaces and types"
    if _MISSING.search(message):
        return "unsupported", f"{message}; not in Metal, or not known to this check"
    if any(_between_spaces(text) for text in (message, *notes)):
        return "address-space", message
    return "compile", message


def _between_spaces(message: str) -> bool:
    if re.search(r"address space|cannot assign .*'constant ", message):
        return True
    quoted = re.findall(r"'([^']*)'", message)
    if not re.search(r"object parameter|cannot deduce a type", message):
        quoted = [each for each in quoted if each[-1:] in ("*", "&", "]")]
    return len({tuple(_SPACE.findall(each)) for each in quoted}) > 1


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m mpsops.msl.strict", description="Checks kernel sources, flattened or not."
    )
    parser.add_argument("sources", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("-I", dest="include_dirs", type=Path, action="append", default=[], metavar="FOLDER")
    parser.add_argument("-D", dest="defines", action="append", default=[], metavar="NAME[=VALUE]")
    options = parser.parse_args(arguments)
    count = 0
    for source in options.sources:
        try:
            text = flatten(source, options.include_dirs).text
        except FlattenError as error:
            raise SystemExit(f"error: {error}") from None
        for finding in check(text, str(source), defines=options.defines):
            print(finding)
            count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
