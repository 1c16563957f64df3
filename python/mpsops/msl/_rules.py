"""The rules of `mpsops check`: the one place that names them.

Sections are those of the Metal Shading Language Specification, version 4.0 (2025-06-05). Chapters 1 and 4
to 6 are numbered so in 3.2 too; the numbers of 3.1 could not be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SPECIFICATION = "Metal Shading Language Specification 4.0"


@dataclass(frozen=True)
class Section:
    number: str
    title: str

    def __str__(self) -> str:
        return f"{self.number} {self.title}"


@dataclass(frozen=True)
class Rule:
    """What is checked.

    Attributes:
        name: as it is printed, and as `--ignore` takes it.
        summary: what must be so.
        section: where the specification says it.
        fix: what to do about a finding.
        level: "error" is what a Mac refuses, when it compiles or makes the pipeline; "warning" what Apple's
            compiler takes, and some GPU, version or run does not, or what is not known here; "pedantic" a
            warning that is off unless asked for.
        known_in_libraries: whether headers that others wrote, and Apple's compiler takes, may break it.
    """

    name: str
    summary: str
    section: Section
    fix: str
    level: Literal["error", "warning", "pedantic"] = "error"
    known_in_libraries: bool = False


_METAL_AND_CPP = Section("1.5", "Metal and C++17")
_RESTRICTIONS = Section("1.5.4", "Restrictions")
_SCALARS = Section("2.1", "Scalar Data Types")
_IMPLICIT = Section("2.22", "Implicit Type Conversions")
_OPERATORS = Section("3.1", "Scalar and Vector Operators")
_SPACES = Section("4", "Address Spaces")
_CONSTANT = Section("4.2", "Constant Address Space")
_THREADGROUP = Section("4.4", "Threadgroup Address Space")
_FUNCTIONS = Section("5.1", "Functions")
_KERNELS = Section("5.1.3", "Compute Functions (Kernels)")
_HOST_NAME = Section("5.1.10", "Host Name Attribute")
_ARGUMENTS = Section("5.2", "Function Arguments and Variables")
_LOCATING = Section("5.2.1", "Locating Buffer, Texture, and Sampler Arguments")
_KERNEL_INPUTS = Section("5.2.3.6", "Kernel Function Input Attributes")
_STORAGE = Section("5.3", "Storage Class Specifiers")
_LIBRARY = Section("6", "Metal Standard Library")
_HEADERS = Section("6.1", "Namespace and Header Files")
_ATOMICS = Section("6.15", "Atomic Functions")
_ATOMIC_FUNCTIONS = Section("6.15.4", "Atomic Functions")
_VERSIONS = Section("1.6.10", "Compiler Options Controlling the Language Version")

RULES = {
    rule.name: rule
    for rule in [
        Rule(
            "address-space",
            "pointers and references name their address space, and none turns into another",
            _SPACES,
            "write device, constant, threadgroup or thread; copy an object to a local variable to call what "
            "wants it in thread",
        ),
        Rule(
            "atomics",
            "atomic types, operations, memory orders and address spaces are those that Metal has",
            _ATOMIC_FUNCTIONS,
            "float has add and sub, 64 bits have min and max, both in device memory; the order is "
            "memory_order_relaxed; what is missing is a loop over atomic_compare_exchange_weak_explicit",
        ),
        Rule(
            "attribute",
            "parameters of kernels say with a known attribute what they are",
            _KERNEL_INPUTS,
            "add an attribute such as [[thread_position_in_grid]], or make it a buffer: constant T& x "
            "[[buffer(n)]]",
        ),
        Rule(
            "buffers",
            "indices of buffers, and those of threadgroup memory, are below 31, and each is used once",
            _LOCATING,
            "give every buffer an index of its own, from 0 to 30; put small arguments into one struct",
        ),
        Rule(
            "c++17",
            "before Metal 4 the language is C++14: later features are extensions that warn",
            _METAL_AND_CPP,
            "write it as C++14, or ask for Metal 4 with --msl 4.0",
            level="pedantic",
            known_in_libraries=True,
        ),
        Rule(
            "compile",
            "the source is valid C++, as Metal has it",
            _METAL_AND_CPP,
            "see the message of the compiler",
        ),
        Rule(
            "constant-initializer",
            "variables at program scope are initialised, with a constant expression",
            _CONSTANT,
            "initialise it, or make it a function constant: constant T x [[function_constant(n)]];",
        ),
        Rule(
            "double",
            "there is no double and no long double",
            _SCALARS,
            "use float; where it is not precise enough, a pair of floats",
        ),
        Rule(
            "duplicate-kernel",
            "kernels have different host names",
            _HOST_NAME,
            'give each instantiation its own: template [[host_name("name_float")]] kernel ...',
        ),
        Rule(
            "forward-progress",
            "no loop waits for another thread to write: nothing says that the other one runs",
            _ATOMICS,
            "split the kernel at the wait; dispatches of one encoder run one after another",
            level="warning",
        ),
        Rule(
            "function-pointer",
            "no pointers to functions, but as template arguments: not every GPU and kernel can have them",
            _RESTRICTIONS,
            "pass a functor as a template argument",
            level="warning",
            known_in_libraries=True,
        ),
        Rule(
            "implicit-conversion",
            "bfloat is converted to and from half, and to it, explicitly; vectors only explicitly",
            _IMPLICIT,
            "write the type: bfloat(x), float4(v)",
        ),
        Rule(
            "include",
            "included files exist, and are not those of C or C++",
            _HEADERS,
            "include <metal_stdlib>; name folders of your own headers with -I",
        ),
        Rule(
            "kernel",
            "kernels return void, and get pointers into device, constant or threadgroup memory",
            _KERNELS,
            "write results to a device buffer",
        ),
        Rule(
            "kernel-argument",
            "arguments of kernels are buffers, by pointer or reference, or inputs of the right type",
            _ARGUMENTS,
            "write constant T& x [[buffer(n)]] for a value; inputs are ushort or uint, or vectors of them",
        ),
        Rule(
            "kernel-call",
            "kernels do not call kernels",
            _FUNCTIONS,
            "move what both do to a function without kernel",
        ),
        Rule(
            "lambda",
            "no lambda expressions before Metal 3.2",
            _RESTRICTIONS,
            "write a struct with operator(), or ask for Metal 3.2 with --msl 3.2",
            known_in_libraries=True,
        ),
        Rule(
            "long-long",
            "there is no long long",
            _SCALARS,
            "long has 64 bits",
        ),
        Rule(
            "main",
            "no function is called main",
            _RESTRICTIONS,
            "give it another name",
        ),
        Rule(
            "max-threads",
            "[[max_total_threads_per_threadgroup(n)]] is between 1 and 1024",
            _KERNELS,
            "no Apple GPU has more than 1024 threads in a threadgroup",
        ),
        Rule(
            "narrowing",
            "braces do not narrow",
            _METAL_AND_CPP,
            "convert explicitly: half4{half(x)}, or use parentheses",
        ),
        Rule(
            "not-in-metal",
            "names of C, C++, CUDA and OpenCL are not used: Metal has its own standard library",
            _RESTRICTIONS,
            "use what <metal_stdlib> has",
        ),
        Rule(
            "out-of-scope",
            "what is used is known to this check: textures, ray tracing, tensors and graphics are not",
            _LIBRARY,
            "this says nothing about whether it is right; check it on a Mac",
            level="warning",
        ),
        Rule(
            "program-scope",
            "variables at program scope are in constant memory",
            _SPACES,
            "write constant constexpr T x = ...; or pass a buffer",
        ),
        Rule(
            "recursion",
            "no function calls itself: Metal has that since 2.4 in kernels, at the price of a stack",
            _RESTRICTIONS,
            "write a loop",
            level="warning",
            known_in_libraries=True,
        ),
        Rule(
            "restriction",
            "no goto, new, delete, virtual, exceptions, typeid, dynamic_cast, register, thread_local, asm, "
            "variadic functions",
            _RESTRICTIONS,
            "Metal has nothing in its place: write it without",
        ),
        Rule(
            "static-local",
            "no static variables in functions",
            _STORAGE,
            "write constant constexpr at program scope, or pass a buffer",
        ),
        Rule(
            "threadgroup-memory",
            "a kernel's threadgroup variables have at most 32768 bytes together",
            _THREADGROUP,
            "use smaller tiles, or half",
        ),
        Rule(
            "threadgroup-variable",
            "threadgroup variables are declared in kernels",
            _THREADGROUP,
            "declare it in the kernel, and pass a threadgroup pointer",
        ),
        Rule(
            "unknown-name",
            "every name is declared, or in Metal's standard library",
            _LIBRARY,
            "look for its spelling in the specification; include the header that declares it",
        ),
        Rule(
            "vector-condition",
            "conditions are one bool, not a vector",
            _OPERATORS,
            "use any(), all(), or select(a, b, condition)",
        ),
        Rule(
            "version",
            "what is used exists in the version of Metal that is asked for",
            _VERSIONS,
            "ask for that version with --msl, if every Mac that runs this has it",
        ),
    ]
}
