"""Preprocessed Metal Shading Language in, C++ for clang out.

Only what C++ cannot say is rewritten: kernel attributes and `host_name` become binders, threadgroup
variables become references into the group's memory, vector constructors become function calls, and
literals become `float`. Everything else is left as it was written, on the line where it was written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ._targets import CPU, Entry, Target
from ._tokens import CLOSE, OPEN, Source, Token, TranslateError, scan

# A kernel that reaches one of these, or threadgroup memory, needs threads that can wait.
_WAITING = re.compile(
    r"(threadgroup|simdgroup)_barrier$"
    r"|(simd|quad)_(sum|product|min|max|and|or|xor|all|any|ballot|is_first|broadcast(_first)?"
    r"|active_threads_mask|shuffle(_\w+)?|prefix_\w+)$"
)

# Types whose casts clang lacks: vectors, and half and bfloat into each other.
_VECTOR = re.compile(
    r"((bool|char|uchar|short|ushort|int|uint|long|ulong|half|bfloat|float)[234]|half|bfloat)$"
)

_BUILTINS = frozenset(
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

_FLOAT = re.compile(r"(\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)$")
_SUFFIXED = re.compile(r"(?P<digits>[\d.]+(?:[eE][+-]?\d+)?)(?P<suffix>h|H|bf|BF)$")


@dataclass
class _Parameter:
    name: str
    attribute: str  # a type of mpsops_support.h


@dataclass
class _Kernel:
    name: str
    parameters: list[_Parameter]
    scope: str = ""
    template: bool = False


def translate(text: str, system: str, target: Target = CPU) -> str:
    """Rewrites preprocessed `text`; what line markers place below the folder `system` is left alone."""
    return _Translator(scan(text, system), target).run()


class _Translator:
    def __init__(self, source: Source, target: Target = CPU) -> None:
        self.source = source
        self.target = target
        self.tokens = source.tokens
        self.match = source.match
        self.edits: list[tuple[int, int, str]] = []
        self.kernels: dict[str, list[_Kernel]] = {}
        self.uses: dict[str, set[str]] = {}  # what a name's definitions mention
        self.rows: list[tuple[int, int, str, str, list[Token], Token]] = []
        self.types: set[str] = set()

    def run(self) -> str:
        self.collect_types()
        self.declarations(0, len(self.tokens), "")
        self.rewrite_expressions()
        self.register()
        return self.apply()

    # -- edits

    def replace(self, start: int, end: int, text: str) -> None:
        """Replaces tokens [start, end), keeping the number of lines."""
        a, b = self.tokens[start].start, self.tokens[end - 1].end
        if not text and "\n" not in self.source.text[a:b]:
            text = " " * (b - a)  # columns of diagnostics stay right
        self.edits.append((a, b, text + "\n" * self.source.text.count("\n", a, b)))

    def insert(self, offset: int, text: str) -> None:
        self.edits.append((offset, offset, text))

    def apply(self) -> str:
        text = self.source.text
        out: list[str] = []
        position = 0
        for start, end, new in sorted(self.edits, key=lambda e: (e[0], e[1] != e[0], -e[1])):
            if start < position:
                continue  # inside something that was removed
            out.append(text[position:start])
            out.append(new)
            position = end
        out.append(text[position:])
        return "".join(out)

    # -- token helpers

    def is_mark(self, at: int, text: str) -> bool:
        return 0 <= at < len(self.tokens) and self.tokens[at].text == text

    def attribute_at(self, at: int) -> int:
        """The index behind `[[...]]` that opens at `at`, or `at`."""
        if self.is_mark(at, "[") and self.is_mark(at + 1, "[") and self.match[at + 1] + 1 == self.match[at]:
            return self.match[at] + 1
        return at

    def angle_end(self, at: int, limit: int) -> int:
        """The index behind the `>` that closes the `<` at `at`, or `at` when it closes nothing."""
        depth = 0
        i = at
        while i < limit:
            text = self.tokens[i].text
            if text in OPEN:
                i = self.match[i]
            elif text == "<":
                depth += 1
            elif text == ">":
                depth -= 1
                if depth == 0:
                    return i + 1
            elif text in (">=", ">>=") or text == ";":
                return at
            i += 1
        return at

    # -- declarations

    def collect_types(self) -> None:
        """Names that may stand for vector types: template parameters and aliases."""
        tokens = self.tokens
        for i, token in enumerate(tokens):
            if token.kind != "name":
                continue
            if token.text in ("typename", "class") and i + 1 < len(tokens):
                after = tokens[i + 1]
                before = tokens[i - 1].text if i else ""
                if after.kind == "name" and before in ("<", ",") and not self.is_mark(i + 2, "::"):
                    self.types.add(after.text)
            elif token.text == "using" and tokens[i + 1].kind == "name" and self.is_mark(i + 2, "="):
                self.types.add(tokens[i + 1].text)
            elif token.text == "typedef":
                end = i
                while not self.is_mark(end, ";"):
                    end = self.match[end] + 1 if tokens[end].text in OPEN else end + 1
                if tokens[end - 1].kind == "name":
                    self.types.add(tokens[end - 1].text)

    def declarations(self, at: int, limit: int, scope: str) -> None:
        """Reads namespace-level declarations of [at, limit)."""
        tokens = self.tokens
        while at < limit:
            text = tokens[at].text
            if text in (";", "}"):
                at += 1
                continue
            start = at
            body = -1
            while at < limit:
                text = tokens[at].text
                if text == ";":
                    break
                if text == "{":
                    body = at
                    at = self.match[at] + 1
                    header = [t.text for t in tokens[start:body]]
                    kind = self.declaration_kind(header)
                    if kind == "initialiser" or (kind == "type" and not self.is_mark(at, ";")):
                        continue
                    break
                at = self.match[at] + 1 if text in OPEN else at + 1
            if body >= 0 and self.declaration_kind([t.text for t in tokens[start:body]]) == "namespace":
                name = "".join(t.text for t in tokens[start + 1 : body])
                self.declarations(body + 1, self.match[body], f"{scope}{name}::" if name else scope)
                at = self.match[body] + 1
                continue
            self.declaration(start, body, min(at, limit), scope)

    @staticmethod
    def declaration_kind(header: list[str]) -> str:
        if header[:1] == ["namespace"] or header[:2] == ["inline", "namespace"] or header[:1] == ["extern"]:
            return "namespace"
        depth = 0
        parens = 0  # within template arguments, where < and > compare
        for i, text in enumerate(header):
            if depth and text in "()":
                parens += 1 if text == "(" else -1
            elif parens:
                continue
            elif text == "<":
                depth += 1
            elif text == ">":
                depth -= 1
            elif depth == 0 and text == "=":
                if i and header[i - 1] == "operator":
                    continue
                return "initialiser"
            elif depth == 0 and text in ("struct", "class", "union", "enum"):
                return "type"
            elif depth == 0 and text == "(":
                return "function"
        return "initialiser"

    def declaration(self, start: int, body: int, end: int, scope: str) -> None:
        tokens = self.tokens
        template = False
        host_name: Token | None = None
        host = ""
        host_span: tuple[int, int] | None = None
        is_kernel = False
        explicit = False
        i = start
        parts: list[int] = []  # indices outside template headers and attributes
        stop = body if body >= 0 else end
        while i < stop:
            text = tokens[i].text
            behind = self.attribute_at(i)
            if behind != i:
                inside = [t.text for t in tokens[i + 2 : behind - 2]]
                if inside[:1] == ["kernel"]:
                    is_kernel = True
                elif inside[:1] == ["host_name"]:
                    host_name = tokens[i + 4]
                    host = "".join(t.text[1:-1] for t in tokens[i + 4 : behind - 3])
                    host_span = (i, behind)
                i = behind
                continue
            if text == "template":
                if self.is_mark(i + 1, "<"):
                    template = True
                    i = self.angle_end(i + 1, stop)
                else:
                    explicit = True
                    i += 1
                continue
            if text == "kernel":
                is_kernel = True
                self.replace(i, i + 1, "")
                i += 1
                continue
            parts.append(i)
            i = self.match[i] + 1 if text in OPEN else i + 1
        mentioned = {t.text for t in tokens[start:end] if t.kind == "name"}
        if explicit and host_name is not None:
            self.instantiation(start, end, parts, host, host_name)
            return
        name, open_paren = self.declared_name(parts, stop)
        if name:
            self.uses.setdefault(name, set()).update(mentioned)
        if is_kernel and open_paren >= 0:
            if host_span is not None:
                self.replace(*host_span, "")
            if body >= 0:
                parameters = self.parameters(open_paren)
                kernel = _Kernel(name, parameters, scope, template)
                self.kernels.setdefault(name, []).append(kernel)
                if not template:
                    row = (tokens[end - 1].end, -1, host or name, name, tokens[start:start], tokens[start])
                    self.rows.append(row)
            elif self.has_attributes(open_paren):
                self.parameters(open_paren)
        if body >= 0 and open_paren >= 0:
            self.threadgroup_variables(body + 1, self.match[body])
        elif body >= 0:
            self.members(body + 1, self.match[body])

    def declared_name(self, parts: list[int], stop: int) -> tuple[str, int]:
        """The name a declaration gives, and the index of its parameter list or -1."""
        tokens = self.tokens
        depth = 0
        previous = ""
        for position, i in enumerate(parts):
            text = tokens[i].text
            if text == "<" and previous != "operator":
                depth += 1
            elif text == ">" and previous != "operator" and depth:
                depth -= 1
            elif depth == 0 and text in ("struct", "class", "union", "enum", "using"):
                for j in parts[position + 1 :]:
                    skipped = tokens[j].text in ("class", "struct", "alignas") or self.is_mark(j + 1, "::")
                    if tokens[j].kind == "name" and not skipped:
                        return tokens[j].text, -1
            elif depth == 0 and text == "(" and previous not in ("decltype", "alignas", "__attribute__", ""):
                before = tokens[i - 1]
                if before.text == ">":  # f<T>(...): a specialisation
                    back = i - 1
                    level = 0
                    while back > 0:
                        level += {">": 1, "<": -1}.get(tokens[back].text, 0)
                        if level == 0:
                            break
                        back -= 1
                    before = tokens[back - 1]
                return before.text, i
            if tokens[i].kind == "name" or text in (">",):
                previous = text
        names = [tokens[i].text for i in parts if tokens[i].kind == "name"]
        return (names[-1] if names else ""), -1

    def members(self, at: int, limit: int) -> None:
        """Member functions may declare threadgroup variables too."""
        while at < limit:
            if self.tokens[at].text == "{":
                self.threadgroup_variables(at + 1, self.match[at])
                at = self.match[at] + 1
            else:
                at += 1

    # -- kernels

    def split(self, start: int, end: int) -> list[tuple[int, int]]:
        """[start, end) at its top-level commas."""
        out: list[tuple[int, int]] = []
        depth = 0
        first = i = start
        while i < end:
            text = self.tokens[i].text
            if text in OPEN:
                i = self.match[i]
            elif text == "<":
                depth += 1
            elif text == ">":
                depth -= 1
            elif text == "," and depth == 0:
                out.append((first, i))
                first = i + 1
            i += 1
        if first < end:
            out.append((first, end))
        return out

    def has_attributes(self, open_paren: int) -> bool:
        return any(self.attribute_at(i) != i for i in range(open_paren, self.match[open_paren]))

    def parameters(self, open_paren: int) -> list[_Parameter]:
        tokens = self.tokens
        out: list[_Parameter] = []
        next_buffer = next_threadgroup = 0
        for start, end in self.split(open_paren + 1, self.match[open_paren]):
            if end - start == 1 and tokens[start].text == "void":
                continue
            attribute = ""
            words: list[str] = []
            last_mark = -1
            i = start
            while i < end:
                behind = self.attribute_at(i)
                if behind == i:
                    words.append(tokens[i].text)
                    if tokens[i].text in ("*", "&"):
                        last_mark = i
                    i += 1
                    continue
                name = tokens[i + 2].text
                argument = " ".join(t.text for t in tokens[i + 3 : behind - 2])
                if name in _BUILTINS:
                    attribute = f"::mpsops_msl::{name}"
                elif name == "buffer":
                    attribute = f"::mpsops_msl::Buffer<{argument}>"
                    digits = argument.strip("() ")
                    next_buffer = int(digits) + 1 if digits.isdecimal() else next_buffer + 1
                elif name == "threadgroup":
                    attribute = f"::mpsops_msl::Threadgroup<{argument}>"
                    next_threadgroup += 1
                elif name not in ("maybe_unused", "function_constant", "raster_order_group"):
                    raise self.source.fail(
                        tokens[i], f"[[{name}]] is not an attribute of a compute kernel's parameter"
                    )
                self.replace(i, behind, "")
                i = behind
            names = [w for w in words if re.match(r"[A-Za-z_]\w*$", w)]
            label = names[-1] if names else "?"
            if not attribute:
                if "threadgroup" in words:
                    attribute = f"::mpsops_msl::Threadgroup<({next_threadgroup})>"
                    next_threadgroup += 1
                elif "*" in words or "&" in words or "[" in words:
                    attribute = f"::mpsops_msl::Buffer<({next_buffer})>"
                    next_buffer += 1
                else:
                    raise self.source.fail(tokens[start], f"kernel parameter '{label}' has no attribute")
            if "constant" in words and last_mark >= 0 and "(" not in words:
                # The constant address space does not change while a kernel runs.
                self.insert(tokens[last_mark].end, " __restrict ")
            out.append(_Parameter(label, attribute))
        return out

    def instantiation(self, start: int, end: int, parts: list[int], host: str, token: Token) -> None:
        """template [[host_name("x")]] kernel ... f<A>(...);  or  decltype(f<A>) f<A>;"""
        tokens = self.tokens
        first = parts[0]
        # The instantiated name: the last `name<...>` before the end or the parameter list.
        i = end - 1
        if tokens[i].text == ")":
            i = self.match[i] - 1
        last = i
        if tokens[i].text == ">":
            depth = 0
            while i > first:
                if tokens[i].text in CLOSE:
                    i = self.match[i]
                depth += {">": 1, "<": -1}.get(tokens[i].text, 0)
                if depth == 0:
                    break
                i -= 1
            i -= 1
        begin = i
        while begin - 1 > first and tokens[begin - 1].text == "::":
            begin -= 1
            if tokens[begin - 1].kind == "name" and tokens[begin - 1].text not in ("void", "kernel"):
                begin -= 1
        expression = self.source.text[tokens[begin].start : tokens[last].end].replace("\n", " ")
        expression = re.sub(r"^\s*#.*$", "", expression, flags=re.MULTILINE)
        if tokens[begin].text == "::":
            expression = " " + expression
        self.replace(start, min(end + 1, len(tokens)), "")
        self.rows.append((tokens[start].start, end, host, tokens[i].text, tokens[start:end], token))
        self.expressions = getattr(self, "expressions", {})
        self.expressions[len(self.rows) - 1] = expression

    def register(self) -> None:
        expressions: dict[int, str] = getattr(self, "expressions", {})
        seen: dict[str, str] = {}
        waits: dict[str, bool] = {}
        for number, (offset, _, host, name, mention, token) in enumerate(self.rows):
            where = self.source.where(token.start)
            if host in seen:
                raise TranslateError(f"{where}: error: kernel '{host}' was already defined at {seen[host]}")
            seen[host] = where
            candidates = self.kernels.get(name)
            if not candidates:
                raise self.source.fail(token, f"'{name}' is not a kernel")
            kernel = candidates[-1]
            roots = {t.text for t in mention if t.kind == "name"} | {name}
            key = " ".join(sorted(roots))
            if key not in waits:
                waits[key] = self.reaches_waiting(roots)
            fibers = waits[key]
            function = f"&{expressions.get(number, f' ::{kernel.scope}{name}')}"
            types = "".join(f", {p.attribute}" for p in kernel.parameters)
            names = [p.name for p in kernel.parameters]
            entry = Entry(number, host, function, types, names, fibers)
            self.insert(offset, self.target.register(entry))

    def reaches_waiting(self, roots: set[str]) -> bool:
        """Whether a name reachable from `roots` by mention waits: too many rather than too few."""
        seen: set[str] = set()
        queue = list(roots)
        while queue:
            name = queue.pop()
            if name in seen:
                continue
            seen.add(name)
            if _WAITING.match(name) or name == "threadgroup":
                return True
            queue.extend(self.uses.get(name, ()))
        return False

    # -- bodies

    def threadgroup_variables(self, at: int, limit: int) -> None:
        tokens = self.tokens
        i = at
        while i < limit:
            if tokens[i].text != "threadgroup" or tokens[i - 1].text not in ("{", "}", ";", "static", ")"):
                i += 1
                continue
            end = i
            depth = 0
            pointer = False
            while not self.is_mark(end, ";"):
                text = tokens[end].text
                if text in ("<", ">"):
                    depth += 1 if text == "<" else -1
                elif depth == 0 and text in ("*", "&", "=", "("):
                    pointer = True
                end = self.match[end] + 1 if text in OPEN else end + 1
            if not pointer:
                self.threadgroup_variable(i, end)
            i = end

    def threadgroup_variable(self, start: int, end: int) -> None:
        """threadgroup T a[N], b;  ->  typedefs of T[N] and T, and references of those types."""
        tokens = self.tokens
        declarators = self.split(start + 1, end)
        text = self.source.text
        names: list[int] = []
        for number, (first, last) in enumerate(declarators):
            i = first
            name = -1
            while i < last and not self.is_mark(i, "["):
                if tokens[i].text == "<":
                    i = self.angle_end(i, last)
                    continue
                if tokens[i].kind == "name":
                    name = i
                i += 1
            if name < 0 or (number == 0 and name == first):
                raise self.source.fail(tokens[start], "a threadgroup variable needs a type and a name")
            names.append(name)
        out = ["typedef "]
        position = tokens[start + 1].start
        for name in names:
            out.append(text[position : tokens[name].start])
            out.append(f"mpsops_type_{tokens[name].text}")
            position = tokens[name].end
        out.append(text[position : tokens[end - 1].end] + ";")
        for name in names:
            n = tokens[name].text
            out.append(self.target.threadgroup_variable(n))
        self.edits.append((tokens[start].start, tokens[end].end, "".join(out)))

    def rewrite_expressions(self) -> None:
        """Literals, and T(...) where T may be a vector type."""
        tokens = self.tokens
        for i, token in enumerate(tokens):
            if token.kind == "number":
                if token.text[:2] in ("0x", "0X") and "p" in token.text.lower():
                    # C++14 has no hexadecimal ones; clang, and so Apple's compiler, takes them.
                    self.replace(i, i + 1, f"{float.fromhex(token.text.rstrip('fF'))!r}f")
                elif _FLOAT.match(token.text):
                    self.insert(token.end, "f")
                elif suffixed := _SUFFIXED.match(token.text):
                    kind = "half" if suffixed["suffix"] in "hH" else "bfloat"
                    digits = suffixed["digits"]
                    digits += "f" if _FLOAT.match(digits) else ".0f"
                    self.replace(i, i + 1, f"(({kind}){digits})")
            elif token.kind == "name":
                if token.text == "double":
                    raise self.source.fail(token, "Metal has no double")
                if token.text == "static_cast" and self.is_mark(i + 1, "<"):
                    self.static_cast(i)
                elif token.text in self.types or token.text == "vec" or _VECTOR.match(token.text):
                    self.constructor(i)

    def static_cast(self, at: int) -> None:
        end = self.angle_end(at + 1, len(self.tokens))
        inside = self.tokens[at + 2 : end - 1]
        if any(t.text in ("*", "&", "&&", "(", "void") for t in inside):
            return
        if any(t.text in self.types or t.text == "vec" or _VECTOR.match(t.text) for t in inside):
            self.replace(at, at + 1, "::mpsops_msl::cast")

    def constructor(self, at: int) -> None:
        tokens = self.tokens
        behind = at + 1
        if tokens[at].text == "vec" and not self.is_mark(behind, "<"):
            return
        if self.is_mark(behind, "<"):
            if _VECTOR.match(tokens[at].text):
                return
            behind = self.angle_end(behind, len(tokens))
            if behind == at + 1:
                return
        if not self.is_mark(behind, "(") or self.match[behind] == behind + 1:
            return
        begin = at
        while begin >= 2 and tokens[begin - 1].text == "::":
            begin -= 1
            if tokens[begin - 1].kind == "name" and tokens[begin - 1].text not in ("return", "else", "case"):
                begin -= 1
        before = tokens[begin - 1] if begin else tokens[at]
        if before.text in ("operator", ".", "->", "~", "struct", "class", "typename", "new"):
            return
        if before.text in ("=",) and begin >= 3 and tokens[begin - 3].text == "using":
            return
        # T (*name)(...) declares a function pointer, T (&name)[...] a reference to an array.
        if tokens[behind + 1].text in ("*", "&") and tokens[self.match[behind] + 1].text in ("(", "["):
            return
        self.insert(tokens[begin].start, "::mpsops_msl::make<")
        self.insert(tokens[behind].start, ">")
