"""Metal Shading Language to C++ for OpenCL, the one language of upstream clang that has address spaces as
Metal has them: on methods, in overload resolution, in deduction; and a space that every other converts
to, in which implicit copies are declared, so that a struct can be copied from any.

What clang would not notice is reported from here: it is visible in the tokens only.
"""

from __future__ import annotations

import re
from typing import Any

from ._finding import Finding
from ._parameters import BUILTINS, Parameter
from ._strict_arguments import kernel_arguments
from ._strict_calls import BYTES, KERNEL
from ._strict_instantiations import InstantiationRewriter
from ._strict_methods import MethodRewriter
from ._strict_translator import SPACES
from ._strict_words import newer, words
from ._tokens import OPEN, Token, TranslateError, scan
from ._translate import _UNROLL

_WRITTEN = [
    ("const __global", "constant"),
    ("__global", "constant"),
    ("__local", "device"),
    ("__private", "thread"),
    (SPACES["threadgroup"], "threadgroup"),
]
# Names that Metal leaves to the programmer, or declares as something else, and OpenCL reserves.
_RESERVED = (
    "half|local|global|generic|uniform|pipe|vec_step|read_only|write_only|read_write"
    "|atomic_(?:int|uint|long|ulong|float|double|flag|size_t)"
)
_WORD = re.compile(
    r"^[ \t]*#.*$|\bcoherent\s*\(\s*\w+\s*\)|\bcoherent(?=\s+device\b)|\[\[threadgroup\b[^\]]*\]\]"
    rf"|\b({'|'.join(SPACES)})\b|\b({_RESERVED})\b",
    re.MULTILINE,
)
_KERNEL_MARK = f' __attribute__((annotate("{KERNEL}"))) '


def rewrite(text: str, system: tuple[str, ...], version: str) -> tuple[str, list[Finding]]:
    """Preprocessed `text` as C++ for OpenCL, with the line markers that it had.

    Columns of findings are of `text`.
    """
    text = _UNROLL.sub("", text)
    translator = StrictTranslator(scan(_BOOL_VECTOR.sub("unsigned _BitInt(8)", text), system))
    for found in words(translator.source):
        translator.report(*found)
    try:
        out = _WORD.sub(_in_opencl, translator.run())
    except TranslateError as error:
        out = ""
        translator.findings.append(_from_error(str(error)))
    for found in newer(translator.source, version, set(translator.uses)):
        translator.report(*found)
    return out, translator.findings


# OpenCL has no vectors of bool. This element is a type of its own, as bool is.
_BOOL_VECTOR = re.compile(r"\bbool(?= (?:bool\d )?__attribute__\(\(ext_vector_type)")


def _in_opencl(word: re.Match[str]) -> str:
    if word[0].startswith(("[[", "coherent")):
        return ""  # an attribute of a parameter where no kernel is; what is no type
    return SPACES[word[1]] if word[1] else f"msl_{word[2]}" if word[2] else word[0]


def in_metal(message: str) -> str:
    """What clang says about the rewritten text, in the words of the original."""
    # Local variables are in `thread`, which nobody writes.
    message = re.sub(r"(?<=[*&\]])__private\b", "", message)
    for opencl, metal in _WRITTEN:
        message = message.replace(opencl, metal)
    message = re.sub(r"\b__generic ", "", message)
    return re.sub(rf"\bmsl_({_RESERVED})\b", r"\1", message)


_ERRORS = {"out of scope": "out-of-scope", "attribute": "attribute"}


def _from_error(text: str) -> Finding:
    place, _, message = text.partition(": error: ")
    file, _, line = place.rpartition(":")
    rule = next((rule for words, rule in _ERRORS.items() if words in message), "compile")
    return Finding(file or place, int(line) if line.isdecimal() else 0, rule, message)


class StrictTranslator(MethodRewriter, InstantiationRewriter):
    def merge_address_spaces(self, at: int, limit: int, owner: str = "") -> None:
        """They are types here."""

    # -- declarations

    def declaration(self, start: int, body: int, end: int, scope: str) -> None:
        super().declaration(start, body, end, scope)
        header = self.without_attributes(start, body if body >= 0 else end)
        kind = self.declaration_kind(header)
        if body >= 0:
            self.mark_kernel(start, body)
        if kind == "type":
            if body >= 0 and "enum" not in header:
                self.methods(body, header)
        elif kind == "function":
            if body >= 0:
                self.body(body)
        else:
            self.variable(start, end)

    def without_attributes(self, start: int, end: int) -> list[str]:
        texts: list[str] = []
        while start < end:
            behind = self.attribute_at(start)
            if behind == start:
                texts.append(self.tokens[start].text)
            start = max(behind, start + 1)
        return texts

    def mark_kernel(self, start: int, body: int) -> None:
        """For the rules that read the syntax tree."""
        i = start
        while i < body:
            behind = self.attribute_at(i)
            if "kernel" in [token.text for token in self.tokens[i : max(behind, i + 1)]]:
                self.insert(self.tokens[max(behind - 1, i)].end, _KERNEL_MARK)
                return
            i = max(behind, i + 1)

    def declared_name(self, parts: list[int], stop: int) -> tuple[str, int]:
        name, open_paren = super().declared_name(parts, stop)
        if open_paren >= 0:
            for start, end in self.split(open_paren + 1, self.match[open_paren]):
                self.array_parameter(start, end)
        return name, open_paren

    def array_parameter(self, start: int, end: int) -> None:
        """`T x[n]` is a pointer that needs no address space; Metal takes it to lead into `thread`."""
        i = start
        while i < end and not self.is_mark(i, "["):
            if self.tokens[i].text in ("*", "&", "(", *SPACES):
                return
            i = max(self.angle_end(i, end), i + 1) if self.is_mark(i, "<") else i + 1
        if i < end and self.attribute_at(i) == i:
            self.insert(self.tokens[start].start, " __private ")

    def variable(self, start: int, end: int) -> None:
        """A declaration at program scope that is neither a type nor a function."""
        tokens = self.tokens
        while self.is_mark(start, "template") and self.is_mark(start + 1, "<"):
            start = self.angle_end(start + 1, end)
        words: list[Token] = []
        attributes: dict[str, tuple[int, int]] = {}
        i = start
        while i < end and tokens[i].text not in ("=", "{", ";", ":"):
            behind = self.attribute_at(i)
            if behind != i:
                attributes[tokens[i + 2].text] = i, behind
                i = behind
                continue
            if tokens[i].kind == "name":
                words.append(tokens[i])
            if tokens[i].text == "<":
                i = max(self.angle_end(i, end), i + 1)
            else:
                i = self.match[i] + 1 if tokens[i].text in OPEN else i + 1
        texts = [word.text for word in words]
        others = {"using", "typedef", "template", "static_assert", "friend", "asm", "operator"}
        if len(words) < 2 or others & set(texts):
            return
        if "function_constant" in attributes and "constant" in texts:
            # Whatever the value will be: what depends on it is known when the pipeline is made.
            self.insert(tokens[start].start, " constexpr ")
        elif BUILTINS & attributes.keys():
            for span in attributes.values():
                self.replace(*span, "")
            self.insert(tokens[start].start, " extern __global const ")
        elif "constant" not in texts:
            message = f"variable '{texts[-1]}' at program scope must be in constant memory"
            self.report(words[-1], "program-scope", message)

    def input_of_function(self, token: Token, name: str, used: str) -> None:
        """Its variable is declared, so it compiles."""

    # -- kernels

    def parameters(self, open_paren: int) -> list[Parameter]:
        self.findings += kernel_arguments(self, open_paren)
        return super().parameters(open_paren)

    def rewrite_casts(self) -> None:
        """They stay as they are: clang knows their address spaces."""

    def limits(self, header: Any, name: str, open_paren: int) -> str:
        return ""

    def identified(self, header: Any, name: str, open_paren: int) -> str:
        return ""

    def threadgroup_variable(self, start: int, end: int) -> None:
        super().threadgroup_variable(start, end)
        begin, stop, text = self.edits.pop()
        declared = text[: text.index(" static const char")]
        for name in re.findall(r"mpsops_tag_(\w+) =", text):
            kind = f"mpsops_type_{name}"
            declared += (
                f" enum {{ {BYTES}{name} = sizeof({kind}) }};"
                f" threadgroup {kind}& {name} = ::mpsops_msl::threadgroup_variable<{kind}>();"
            )
        self.edits.append((begin, stop, declared))
