"""Preprocessed Metal Shading Language in, C++ for clang out.

Only what C++ cannot say is rewritten: kernel attributes and `host_name` become binders, threadgroup
variables become references into the group's memory, vector constructors become function calls, and
literals become `float`. Everything else is left as it was written, on the line where it was written.
"""

from __future__ import annotations

import re

from ._address_spaces import AddressSpaceRewriter
from ._casts import CastRewriter
from ._declarations import DeclarationRewriter, Kernel, Row
from ._rewriter import Constants
from ._targets import CPU, Entry, Target
from ._tokens import TranslateError, scan
from ._vector_sizes import VectorSizeRewriter

# A kernel that reaches one of these, or threadgroup memory, needs threads that can wait.
_WAITING = re.compile(
    r"(threadgroup|simdgroup)_barrier$|simdgroup_(matrix|load|store|multiply\w*|(float|half|bfloat)8x8)$"
    r"|__metal_simd\w+|make_filled_simdgroup_matrix$"
    r"|(simd|quad)_(sum|product|min|max|and|or|xor|all|any|ballot|is_first|broadcast(_first)?"
    r"|active_threads_mask|shuffle(_\w+)?|prefix_\w+)$"
)

# clang's preprocessor leaves macros in pragmas alone, and its parser no longer knows them.
_UNROLL = re.compile(r"^[ \t]*#[ \t]*pragma[ \t]+unroll\b.*\w\(.*$", re.MULTILINE)


def translate(text: str, system: str, target: Target = CPU, constants: Constants | None = None) -> str:
    """Rewrites preprocessed `text`; what line markers place below the folder `system` is left alone."""
    text = _UNROLL.sub("", text)
    return Translator(scan(text, system), target, constants or {}).run()


class Translator(DeclarationRewriter, CastRewriter, AddressSpaceRewriter, VectorSizeRewriter):
    def run(self) -> str:
        self.merge_address_spaces(0, len(self.tokens))
        self.collect_types()
        self.rewrite_vector_sizes()
        self.declarations(0, len(self.tokens), "")
        self.check_constants()
        self.rewrite_expressions()
        self.rewrite_casts()
        self.strip_space_attributes()
        self.register()
        return self.apply()

    def register(self) -> None:
        seen: dict[str, str] = {}
        reached: dict[str, set[str]] = {}
        for number, row in enumerate(self.rows):
            where = self.source.where(row.token.start)
            if row.host in seen:
                raise TranslateError(
                    f"{where}: error: kernel '{row.host}' was already defined at {seen[row.host]}"
                )
            seen[row.host] = where
            candidates = self.kernels.get(row.name)
            if not candidates:
                raise self.source.fail(row.token, f"'{row.name}' is not a kernel")
            same = [k for k in candidates if len(k.parameters) == row.parameter_count]
            kernel = (same or candidates)[-1]
            roots = {t.text for t in row.mention if t.kind == "name"} | {row.name}
            key = " ".join(sorted(roots))
            if key not in reached:
                reached[key] = self.reach(roots)
            self.insert(row.offset, self.target.register(self.entry(number, row, kernel, reached[key])))

    def entry(self, number: int, row: Row, kernel: Kernel, reached: set[str]) -> Entry:
        function = row.expression or f" ::{kernel.scope}{row.name}"
        limits, identity, owner = (
            re.sub(rf"\b{row.name}(?=\s*(<|$))", f"mpsops_{what}_{row.name}", function, count=1)
            for what in ("limits", "identity", "owner")
        )
        # Template arguments that follow from the type of the kernel, or are written.
        deduced = bool(row.mention) and "<" not in function
        pointer = f"({row.type})nullptr" if deduced else ""
        instance = f"{owner}({pointer})" if deduced else f"&{identity}"
        return Entry(
            number=number,
            host=row.host,
            function=f"&{function}",
            type=row.type or f"decltype(&{function})",
            attributes="".join(f", {p.attribute}" for p in kernel.parameters),
            parameters=[p.name for p in kernel.parameters],
            identity=instance if kernel.has_memory else "nullptr",
            limits=f"{limits}({pointer})" if kernel.has_limits else "::mpsops_msl::GroupLimits{}",
            missing_constants=self.missing_constants(reached),
            waits=any(name == "threadgroup" or _WAITING.match(name) for name in reached),
            place=self.source.where(row.token.start),
        )

    def reach(self, roots: set[str]) -> set[str]:
        """The names reachable from `roots` by mention: too many rather than too few."""
        seen: set[str] = set()
        queue = list(roots)
        while queue:
            name = queue.pop()
            if name not in seen:
                seen.add(name)
                queue.extend(self.uses.get(name, ()))
        return seen
