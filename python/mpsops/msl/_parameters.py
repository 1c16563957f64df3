"""Parameters of kernels: what each attribute says, as a type of mpsops_binding.h."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ._out_of_scope import OUT_OF_SCOPE, out_of_scope
from ._rewriter import Rewriter
from ._tokens import Token

BUILTINS = frozenset(
    [
        "thread_position_in_grid",
        "threadgroup_position_in_grid",
        "thread_position_in_threadgroup",
        "threads_per_threadgroup",
        "dispatch_threads_per_threadgroup",
        "threadgroups_per_grid",
        "threads_per_grid",
        "thread_index_in_threadgroup",
        "thread_index_in_simdgroup",
        "thread_index_in_quadgroup",
        "simdgroup_index_in_threadgroup",
        "quadgroup_index_in_threadgroup",
        "threads_per_simdgroup",
        "thread_execution_width",
        "simdgroups_per_threadgroup",
        "dispatch_simdgroups_per_threadgroup",
        "quadgroups_per_threadgroup",
        "dispatch_quadgroups_per_threadgroup",
        "grid_origin",
        "grid_size",
    ]
)


# access(read) says what const says; naga writes [[user(fake0)]] on buffers whose index its tests leave open.
_SAYING_NOTHING = frozenset(["maybe_unused", "access", "raster_order_group", "user"])

_TEXTURE = re.compile(r"(texture|depth)(1d|2d|3d|cube|_buffer)")


@dataclass
class Parameter:
    name: str
    attribute: str  # a type of mpsops_binding.h


class ParameterRewriter(Rewriter):
    next_buffer = 0
    next_threadgroup = 0

    def parameters(self, open_paren: int) -> list[Parameter]:
        self.next_buffer = self.next_threadgroup = 0
        return [
            self.parameter(start, end)
            for start, end in self.split(open_paren + 1, self.match[open_paren])
            if self.spelling(start, end) != "void"
        ]

    def parameter(self, start: int, end: int) -> Parameter:
        tokens = self.tokens
        attribute = ""
        condition = ""
        words: list[str] = []
        last_mark = -1
        i = start
        while i < end:
            behind, found = self.attributes(i)
            if behind == i:
                words.append(tokens[i].text)
                if tokens[i].text in ("*", "&"):
                    last_mark = i
                i += 1
                continue
            for name, *span in found:
                if name == "function_constant":
                    condition = self.spelling(*span)
                elif name not in _SAYING_NOTHING:
                    attribute = self.binding(name, self.spelling(*span), tokens[i])
            self.replace(i, behind, "")
            i = behind
        label = self.parameter_name(words)
        if not attribute:
            if "threadgroup" in words:
                attribute = self.binding("threadgroup", f"({self.next_threadgroup})", tokens[start])
            elif "*" in words or "&" in words or "[" in words:
                attribute = self.binding("buffer", f"({self.next_buffer})", tokens[start])
            else:
                self.refuse_type(words, tokens[start])
                raise self.source.fail(tokens[start], f"kernel parameter '{label}' has no attribute")
        if "Buffer<" in attribute and words[-2:-1] == [">"] and words[0] == "array":
            raise self.source.fail(
                tokens[start],
                f"kernel parameter '{label}': arrays of buffers are out of scope of the simulator",
            )
        if condition:
            attribute = f"::mpsops_msl::When<({condition}), {attribute}>"
        if "constant" in words and last_mark >= 0 and "(" not in words:
            # The constant address space does not change while a kernel runs.
            self.insert(tokens[last_mark].end, " __restrict ")
        return Parameter(label, attribute)

    def refuse_type(self, words: list[str], place: Token) -> None:
        for word in words:
            name = "texture" if _TEXTURE.match(word) else word
            if name in OUT_OF_SCOPE:
                raise self.source.fail(place, out_of_scope(name))

    def binding(self, name: str, argument: str, place: Token) -> str:
        """The type that stands for the attribute `name(argument)`."""
        if name in BUILTINS:
            return f"::mpsops_msl::{name}"
        if name == "buffer":
            digits = argument.strip("() ")
            self.next_buffer = int(digits) + 1 if digits.isdecimal() else self.next_buffer + 1
            return f"::mpsops_msl::Buffer<{argument}>"
        if name == "threadgroup":
            self.next_threadgroup += 1
            return f"::mpsops_msl::Threadgroup<{argument}>"
        if name in OUT_OF_SCOPE:
            raise self.source.fail(place, out_of_scope(name))
        raise self.source.fail(place, f"[[{name}]] is not an attribute of a compute kernel's parameter")

    @staticmethod
    def parameter_name(words: list[str]) -> str:
        """The declared name: `a` of `device float* a`, and of `device float (&a)[4]`."""
        if "(" in words:
            words = words[: words.index(")")]
        elif "[" in words:
            words = words[: words.index("[")]
        names = [w for w in words if re.match(r"[A-Za-z_]\w*$", w)]
        return names[-1] if names else "?"
