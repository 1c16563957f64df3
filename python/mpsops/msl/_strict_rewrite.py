"""Metal Shading Language to C++ for OpenCL, the one language of upstream clang that has address spaces as
Metal has them: on methods, in overload resolution, in deduction; and a space that every other converts
to, in which implicit copies are declared, so that a struct can be copied from any.

What clang would not notice is reported from here: it is visible in the tokens only.
"""

from __future__ import annotations

import re
from typing import Any

from ._finding import Finding
from ._parameters import _BUILTINS, Parameter
from ._strict_arguments import MAX_BUFFERS, kernel_arguments
from ._strict_calls import BYTES, KERNEL
from ._strict_words import newer, words
from ._targets import CPU
from ._tokens import OPEN, Source, Token, TranslateError, scan
from ._translate import Translator

# `device` gets a keyword because methods can be qualified with keywords only; `constant` the space in
# which clang accepts variables at program scope.
_SPACES = {
    "device": "__local",
    "constant": "__global const",
    "thread": "__private",
    "threadgroup": "__attribute__((address_space(3)))",
}
# Behind a method's parameters: without const, which a constructor cannot have. `threadgroup` is no
# keyword; such a method is called on such objects because on all others another one is better.
_METHOD_SPACES = _SPACES | {"constant": "__global", "threadgroup": "__generic"}
_CONSTRUCTOR_SPACES = _METHOD_SPACES | {"thread": "__generic", "threadgroup": "__private"}
_TYPES = {"struct", "class", "union"}
_WRITTEN = [
    ("const __global", "constant"),
    ("__global", "constant"),
    ("__local", "device"),
    ("__private", "thread"),
    (_SPACES["threadgroup"], "threadgroup"),
]
# Names that Metal leaves to the programmer, or declares as something else, and OpenCL reserves.
_RESERVED = (
    "half|local|global|generic|uniform|pipe|vec_step|read_only|write_only|read_write"
    "|atomic_(?:int|uint|long|ulong|float|double|flag|size_t)"
)
_WORD = re.compile(
    r"^[ \t]*#.*$|\bcoherent\s*\(\s*\w+\s*\)|\bcoherent(?=\s+device\b)|\[\[threadgroup\b[^\]]*\]\]"
    rf"|\b({'|'.join(_SPACES)})\b|\b({_RESERVED})\b",
    re.MULTILINE,
)
_KERNEL_MARK = f' __attribute__((annotate("{KERNEL}"))) '


def rewrite(text: str, system: tuple[str, ...], version: str) -> tuple[str, list[Finding]]:
    """Preprocessed `text` as C++ for OpenCL, with the line markers that it had.

    Columns of findings are of `text`.
    """
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
    return _SPACES[word[1]] if word[1] else f"msl_{word[2]}" if word[2] else word[0]


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


class StrictTranslator(Translator):
    def __init__(self, source: Source) -> None:
        super().__init__(source, CPU, {})
        self.findings: list[Finding] = []

    def report(self, token: Token, rule: str, message: str) -> None:
        self.findings.append(self.finding(token, rule, message))

    def finding(self, token: Token, rule: str, message: str) -> Finding:
        file, _, line = self.source.where(token.start).rpartition(":")
        column = token.start - self.source.text.rfind("\n", 0, token.start)
        return Finding(file, int(line), rule, message, column)

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
                self.static_locals(body + 1, self.match[body])
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
                self.insert(self.tokens[behind - 1].end if behind > i else self.tokens[i].start, _KERNEL_MARK)
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
            if self.tokens[i].text in ("*", "&", "(", *_SPACES):
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
        elif _BUILTINS & attributes.keys():
            for span in attributes.values():
                self.replace(*span, "")
            self.insert(tokens[start].start, " extern __global const ")
        elif "constant" not in texts:
            message = f"variable '{texts[-1]}' at program scope must be in constant memory"
            self.report(words[-1], "program-scope", message)

    def static_locals(self, at: int, limit: int) -> None:
        for i in range(at, limit):
            if self.tokens[i].text != "static":
                continue
            end = next(j for j in range(i, limit) if self.tokens[j].text in ("=", ";", "{", "(", "["))
            name = self.tokens[end - 1]
            self.report(name, "static-local", f"local variable '{name.text}' must not be static")

    # -- methods

    def methods(self, body: int, header: list[str]) -> None:
        """Puts the object of methods that do not say otherwise into `thread`, as Metal does before 4.1."""
        tokens = self.tokens
        names = [header[i + 1] for i in range(len(header) - 1) if header[i] in _TYPES]
        at, limit = body + 1, self.match[body]
        while at < limit:
            start = at
            parts: list[int] = []
            while at < limit and tokens[at].text not in (";", "{", ":", "="):
                if tokens[at].text == "template" and self.is_mark(at + 1, "<"):
                    at = self.angle_end(at + 1, limit)
                    continue
                behind = self.attribute_at(at)
                if behind == at:
                    parts.append(at)
                    behind = self.match[at] + 1 if tokens[at].text in OPEN else at + 1
                    if tokens[at].text == "operator" and not self.is_mark(behind, "("):
                        behind += 1  # operator= and operator[] are names
                at = behind
            texts = [tokens[i].text for i in parts]
            is_function = self.method(parts, at, names[-1:])
            while at < limit and tokens[at].text not in (";", "{"):
                at += 1
            # The braces of a member initialiser are followed by more.
            while (
                is_function
                and self.is_mark(at, "{")
                and tokens[at - 1].kind == "name"
                and tokens[at - 2].text in ":,"
            ):
                at = self.match[at] + 1
                while at < limit and tokens[at].text not in (";", "{"):
                    at += 1
            if self.is_mark(at, "{"):
                if is_function:
                    self.static_locals(at + 1, self.match[at])
                elif _TYPES & set(texts):
                    self.methods(at, texts)
                at = self.match[at]
            at = max(at, start) + 1

    def method(self, parts: list[int], stop: int, type_name: list[str]) -> bool:
        tokens = self.tokens
        name, open_paren = self.declared_name(parts, stop)
        if open_paren < 0:
            return False
        if self.is_mark(open_paren - 1, "operator"):
            open_paren = self.match[open_paren] + 1
        texts = {tokens[i].text for i in parts}
        if texts & {"friend", "typedef", "using", "static_assert"} or tokens[open_paren + 1].text == "*":
            return False
        if "static" in texts:
            return True
        # A constructor also makes temporaries, which are in no space.
        written = _CONSTRUCTOR_SPACES if name in type_name else _METHOD_SPACES
        close = self.match[open_paren]
        qualifiers = [i for i in range(close + 1, stop) if tokens[i].text in _SPACES]
        for i in qualifiers:
            self.replace(i, i + 1, f"{written[tokens[i].text]} ")
        if not qualifiers:
            self.insert(tokens[close].end, f" {written['thread']} ")
        return True

    # -- kernels

    def parameters(self, open_paren: int) -> list[Parameter]:
        self.findings += kernel_arguments(self, open_paren)
        return super().parameters(open_paren)

    def register(self) -> None:
        seen: dict[str, str] = {}
        for row in self.rows:
            name, host, token = row.name, row.host, row.token
            where = self.source.where(token.start)
            if host in seen:
                self.report(
                    token,
                    "duplicate-kernel",
                    f"name of a kernel must be unique, got '{host}' of {seen[host]}",
                )
            seen.setdefault(host, where)
            candidates = self.kernels.get(name)
            if not candidates:
                raise self.source.fail(token, f"'{name}' is not a kernel")
            kernel = candidates[-1]
            function = row.expression or f" ::{kernel.scope}{name}"
            signature = f"::mpsops_msl::Signature<decltype({function})>"
            checks = [
                (f"{signature}::is_void", f"[kernel] type that '{name}' returns must be void"),
                (f"{signature}::spaces", f"[kernel] pointers that '{name}' gets must not be thread"),
            ]
            for parameter in kernel.parameters:
                kind, _, index = parameter.attribute[:-1].partition("<")
                if kind.endswith("::Buffer") and not index.strip("() ").isdecimal():
                    checks.append(
                        (f"{index} < {MAX_BUFFERS}", f"[buffers] index must be below {MAX_BUFFERS}")
                    )
            text = "".join(f' static_assert({condition}, "{message}");' for condition, message in checks)
            # After the checks: a function with an error has no type.
            instantiation = f" template decltype({function}) {function};" if row.expression else ""
            self.insert(row.offset, text + instantiation)

    def rewrite_casts(self) -> None:
        """They stay as they are: clang knows their address spaces."""

    def limits(self, header: Any, name: str) -> str:
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
