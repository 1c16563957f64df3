"""Declarations at namespace level: which are kernels, which make kernels of templates."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ._function_constants import FunctionConstantRewriter
from ._out_of_scope import OUT_OF_SCOPE, out_of_scope
from ._parameters import BUILTINS, Parameter, ParameterRewriter
from ._rewriter import Constants
from ._targets import Target
from ._threadgroup_memory import ThreadgroupRewriter
from ._tokens import CLOSE, OPEN, Source, Token


@dataclass
class Kernel:
    name: str
    parameters: list[Parameter]
    scope: str = ""
    has_limits: bool = False  # mpsops_limits_<name>() tells them
    has_memory: bool = False  # of the threadgroup, perhaps: mpsops_identity_<name>() is its owner


@dataclass
class Row:
    """A kernel that the host can call.

    Attributes:
        offset: in the source, where its entry is written.
        host: its host name.
        name: of the function, without namespaces and template arguments.
        mention: the tokens that instantiate it; none if it is no template.
        token: where errors about it point.
        expression: the function with its template arguments, as the source names it.
        type: of a pointer to it, where the parameters are written: they choose among overloads.
        parameter_count: their number.
    """

    offset: int
    host: str
    name: str
    mention: list[Token]
    token: Token
    expression: str | None = None
    type: str | None = None
    parameter_count: int | None = None


# Attributes of kernels that say how many threads a group has.
_LIMITS = {
    "max_total_threads_per_threadgroup": "{{ {0}, {{0, 0, 0}} }}",
    "required_threads_per_threadgroup": "{{ 0, ::mpsops_msl::required({0}) }}",
}


@dataclass
class _Header:
    """What stands before the name and the body of a declaration."""

    parts: list[int] = field(default_factory=list)  # tokens outside template headers and attributes
    template: tuple[int, int] | None = None
    explicit: bool = False  # template without <...>: an instantiation
    kernel: bool = False
    host: str = ""
    host_token: Token | None = None
    host_span: tuple[int, int] | None = None
    limits: str = ""
    constant: tuple[int, int, str] | None = None  # [[function_constant(n)]]
    builtin: tuple[int, int, str] | None = None  # [[thread_position_in_grid]] of a variable


class DeclarationRewriter(ParameterRewriter, ThreadgroupRewriter, FunctionConstantRewriter):
    def __init__(self, source: Source, target: Target, constants: Constants) -> None:
        super().__init__(source, target, constants)
        self.kernels: dict[str, list[Kernel]] = {}
        self.uses: dict[str, set[str]] = {}  # what a name's definitions mention
        self.rows: list[Row] = []
        self.inputs: dict[str, tuple[str, str]] = {}  # variables at program scope: type, built-in

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
                words = [t.text for t in tokens[start:body] if t.text not in ("inline", "namespace")]
                name = "" if words[:1] == ["extern"] else "".join(words)
                if words[:1] == ["extern"]:
                    # A kernel's own function may not have the name of its entry.
                    self.replace(start, start + 2, "inline namespace mpsops_extern ")
                self.declarations(body + 1, self.match[body], f"{scope}{name}::" if name else scope)
                at = self.match[body] + 1
                continue
            self.declaration(start, body, min(at, limit), scope)

    @staticmethod
    def declaration_kind(header: list[str]) -> str:
        if header[:1] == ["namespace"] or header[:2] == ["inline", "namespace"]:
            return "namespace"
        if header[:1] == ["extern"] and len(header) == 2:
            return "namespace"  # extern "C" {
        depth = 0
        parens = 0  # within template arguments, where < and > compare
        for i, text in enumerate(header):
            if depth and text in "()":
                parens += 1 if text == "(" else -1
            elif parens:
                continue
            elif i and header[i - 1] == "operator":
                continue  # operator<, operator=: names
            elif text == "<":
                depth += 1
            elif text == ">":
                depth -= 1
            elif depth == 0 and text == "=":
                return "initialiser"
            elif depth == 0 and text in ("struct", "class", "union", "enum"):
                return "type"
            elif depth == 0 and text == "(":
                return "function"
        return "initialiser"

    def declaration(self, start: int, body: int, end: int, scope: str) -> None:
        tokens = self.tokens
        stop = body if body >= 0 else end
        header = self.header(start, stop)
        mentioned = {t.text for t in tokens[start:end] if t.kind == "name"}
        if header.explicit and header.host_token is not None:
            self.instantiation(start, end, header.parts, header.host, header.host_token)
            return
        name, open_paren = self.declared_name(header.parts, stop)
        if name:
            self.uses.setdefault(name, set()).update(mentioned)
        if header.constant is not None:
            self.function_constant(name, *header.constant)
        if header.builtin is not None and open_paren < 0:
            at, behind, builtin = header.builtin
            words = [tokens[i].text for i in header.parts if tokens[i].text not in ("const", "static", name)]
            self.inputs[name] = (" ".join(words), builtin)
            self.replace(at, behind, " = {}")
        inputs = sorted(mentioned & self.inputs.keys()) if body >= 0 and open_paren >= 0 else []
        if inputs and not header.kernel:
            self.input_of_function(tokens[start], name, inputs[0])
        if header.kernel and open_paren >= 0:
            if header.host_span is not None:
                self.replace(*header.host_span, "")
            if body >= 0:
                self.insert(tokens[start].start, self.limits(header, name, open_paren))
                kernel = Kernel(name, self.parameters(open_paren), scope, header.limits != "")
                for each in inputs:
                    self.input(kernel, each, open_paren)
                kernel.has_memory = any(t.text == "threadgroup" for t in tokens[body : self.match[body]])
                if kernel.has_memory:
                    self.insert(tokens[start].start, self.identified(header, name, open_paren))
                    self.identity = f"&mpsops_identity_{name}{self.own_arguments(header)}"
                self.kernels.setdefault(name, []).append(kernel)
                if header.template is None:
                    self.rows.append(Row(tokens[end - 1].end, header.host or name, name, [], tokens[start]))
            elif any(self.attribute_at(i) != i for i in range(open_paren, self.match[open_paren])):
                self.parameters(open_paren)
        if body < 0:
            return
        if open_paren >= 0:
            self.threadgroup_variables(body + 1, self.match[body])
        else:
            self.members(body + 1, self.match[body])
        self.identity = ""

    def input_of_function(self, token: Token, name: str, used: str) -> None:
        message = f"'{name}' uses '{used}', an input at program scope: on the simulator only kernels can"
        raise self.source.fail(token, message)

    def input(self, kernel: Kernel, name: str, open_paren: int) -> None:
        """A variable at program scope, `uint i [[thread_position_in_grid]];`, as a parameter."""
        kind, builtin = self.inputs[name]
        comma = ", " if kernel.parameters else ""
        kernel.parameters.append(Parameter(name, self.binding(builtin, "", self.tokens[open_paren])))
        self.insert(self.tokens[self.match[open_paren]].start, f"{comma}{kind} {name}")

    def header(self, start: int, stop: int) -> _Header:
        tokens = self.tokens
        header = _Header()
        i = start
        while i < stop:
            text = tokens[i].text
            behind, attributes = self.attributes(i)
            if behind != i:
                for name, *span in attributes:
                    self.header_attribute(header, i, behind, name, span)
                i = behind
            elif text == "template" and self.is_mark(i + 1, "<"):
                header.template = (i, self.angle_end(i + 1, stop))
                i = header.template[1]
            elif text == "template":
                header.explicit = True
                i += 1
            elif text == "extern" and tokens[i + 1].kind == "string":
                self.replace(i, i + 2, "")
                i += 2
            elif text == "kernel":
                header.kernel = True
                self.replace(i, i + 1, "")
                i += 1
            else:
                if not header.parts and text in ("vertex", "fragment") and tokens[i + 1].kind == "name":
                    raise self.source.fail(tokens[i], out_of_scope(text))
                header.parts.append(i)
                i = self.match[i] + 1 if text in OPEN else i + 1
        return header

    def header_attribute(self, header: _Header, at: int, behind: int, name: str, span: list[int]) -> None:
        tokens = self.tokens
        if name == "kernel":
            header.kernel = True
        elif name == "host_name":
            header.host_token = tokens[span[0]]
            header.host = "".join(t.text[1:-1] for t in tokens[span[0] : span[1]])
            header.host_span = (at, behind)
        elif name in _LIMITS:
            header.limits = _LIMITS[name].format(self.spelling(*span))
        elif name == "function_constant":
            header.constant = (at, behind, self.spelling(*span))
        elif name in BUILTINS:
            header.builtin = (at, behind, name)
        elif name in OUT_OF_SCOPE:
            raise self.source.fail(tokens[at], out_of_scope(name))

    def limits(self, header: _Header, name: str, open_paren: int) -> str:
        """mpsops_limits_<name>(), beside the kernel so that it sees the same template arguments."""
        if not header.limits:
            return ""
        return (
            f"{self.beside(header)} constexpr ::mpsops_msl::GroupLimits "
            f"mpsops_limits_{name}({self.told_by(header, open_paren)}) {{ return {header.limits}; }} "
        )

    def identified(self, header: _Header, name: str, open_paren: int) -> str:
        """mpsops_identity_<name>(), whose address says which instance of the kernel a body belongs to.

        Of a template, also mpsops_owner_<name>(a pointer to the kernel), that address.
        """
        identity = f"{self.beside(header)} void mpsops_identity_{name}() {{}} "
        if header.template is None:
            return identity
        instance = f"mpsops_identity_{name}{self.own_arguments(header)}"
        return (
            f"{identity}{self.beside(header)} constexpr auto mpsops_owner_{name}"
            f"({self.told_by(header, open_paren)}) {{ return &{instance}; }} "
        )

    def beside(self, header: _Header) -> str:
        """How a function begins that has the template parameters of a kernel."""
        return self.spelling(*header.template) if header.template else "static"

    def told_by(self, header: _Header, open_paren: int) -> str:
        """Its parameter: a pointer to the kernel, from whose type template arguments can follow."""
        return f"{self.pointer(open_paren)} = nullptr" if header.template else ""

    def own_arguments(self, header: _Header) -> str:
        """The template arguments of a kernel, as its body may name them: `<T, N, Rest...>`."""
        if header.template is None:
            return ""
        names: list[str] = []
        for first, last in self.split(header.template[0] + 2, header.template[1] - 1):
            words = [token.text for token in self.tokens[first:last]]
            declared = words[: words.index("=")] if "=" in words else words
            if len(declared) < 2 or not declared[-1].isidentifier():
                break  # without a name: it has a default
            names.append(declared[-1] + ("..." if "." in declared else ""))
        return f"<{', '.join(names)}>"

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

    def instantiation(self, start: int, end: int, parts: list[int], host: str, token: Token) -> None:
        """template [[host_name("x")]] kernel ... f<A>(...);  or  decltype(f<A>) f<A>;"""
        tokens = self.tokens
        first = parts[0]
        # The instantiated name: the last `name<...>` before the end or the parameter list.
        i = end - 1
        pointer = None
        count = None
        if tokens[i].text == ")":
            open_paren = self.match[i]
            pointer = self.pointer(open_paren)
            count = len(self.split(open_paren + 1, i))
            i = open_paren - 1
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
        row = Row(tokens[start].start, host, tokens[i].text, tokens[start:end], token, expression, pointer)
        row.parameter_count = count
        self.rows.append(row)

    def pointer(self, open_paren: int) -> str:
        """The type of a pointer to the kernel whose parameters start at `open_paren`."""
        spans = self.split(open_paren + 1, self.match[open_paren])
        return f"void (*)({', '.join(self.parameter_type(*span) for span in spans)})"

    def parameter_type(self, start: int, end: int) -> str:
        words = []
        while start < end:
            behind = self.attribute_at(start)
            if behind == start:
                words.append(self.tokens[start].text)
                behind += 1
            start = behind
        return " ".join(words)
