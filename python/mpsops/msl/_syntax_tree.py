"""The dump of clang's syntax tree, as trees."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

_NODE = re.compile(
    r"([ |`-]*)(\w+) (0x[0-9a-f]+)(?: parent 0x[0-9a-f]+)?(?: prev (0x[0-9a-f]+))? ?([^']*)(.*)"
)
_PLACE = re.compile(r"(?:(?:line|([^\s<>,:][^<>,:]*)):(\d+)|col):(\d+)(?=[,> ])")
# A declaration of the translation unit, and a line with a place that is not only a column.
_TOP = ("|-", "`-")
_MOVES = re.compile(r":\d+:\d")
_REFERENCE = re.compile(
    r"(?:ParmVar|Var|Function|CXXMethod|CXXConversion|EnumConstant|->\S*|\.\S*) (0x[0-9a-f]+)(?: '([^']*)')?"
)


@dataclass(slots=True)
class Node:
    """
    Attributes:
        kind: as clang calls it, such as CallExpr.
        address: of the node, which others refer to.
        previous: of the declaration that this one repeats, or "".
        head: what stands before the type.
        tail: from the type on.
        file, line, column: of the node, or of the name that it declares.
    """

    kind: str
    address: str
    previous: str
    head: str
    tail: str
    file: str
    line: int
    column: int
    children: list[Node] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of a declaration."""
        return self.head.rstrip().rpartition(" ")[2]

    @property
    def type(self) -> str:
        """As it is written."""
        return self.tail[1 : self.tail.index("'", 1)] if self.tail.startswith("'") else ""

    @property
    def full_type(self) -> str:
        """Without aliases."""
        found = re.match(r"'([^']*)'(?::'([^']*)')?", self.tail)
        return (found[2] or found[1]) if found else ""

    @property
    def referred(self) -> list[tuple[str, str]]:
        """Address and name of the declarations that an expression names."""
        return _REFERENCE.findall(self.tail)

    def walk(self) -> Iterator[Node]:
        """This and all below, in the order of the text."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack += reversed(node.children)


def declarations(dump: str, ours: Callable[[str], bool]) -> Iterator[Node]:
    """What stands in the translation unit and in `ours` of its files, in its order.

    Nodes that nobody wrote are left out.
    """
    file, line = "", 0
    stack: list[tuple[int, Node]] = []
    hidden = -1  # the depth of something that nobody wrote
    is_skipped = False
    for text in dump.splitlines():
        if is_skipped and not text.startswith(_TOP):
            # Nine lines of ten are the library's: of them only the places count, of which the next is told.
            head = text.partition("'")[0]
            if _MOVES.search(head):
                for match in _PLACE.finditer(head):
                    file, line = match[1] or file, int(match[2]) if match[2] else line
            continue
        found = _NODE.match(text)
        if found is None:
            # A constant's value is a child without an address.
            if stack and (value := re.search(r"value: Int (\d+)", text)):
                parent = stack[-1][1]
                parent.children.append(Node("value", "", "", value[1], "", file, line, 0))
            continue
        indent, kind, address, previous, head, tail = found.groups()
        # A range, then perhaps the place of a name; each is told as what differs from the one before.
        where = [(file, line, 0)]
        for match in _PLACE.finditer(head):
            file, line = match[1] or file, int(match[2]) if match[2] else line
            where.append((file, line, int(match[3])))
        named = head.rfind(">") < head.rfind(f":{where[-1][2]} ")
        depth = len(indent)
        if 0 <= hidden < depth:
            continue
        hidden = -1
        if kind.endswith("Decl") and " implicit " in f" {head} ":
            hidden = depth
            continue
        node = Node(
            kind, address, previous or "", head, tail, *where[-1 if named else min(1, len(where) - 1)]
        )
        is_skipped = text.startswith(_TOP) and not ours(node.file)
        while stack and stack[-1][0] >= depth:
            _, done = stack.pop()
            if len(stack) == 1:
                yield done
        if is_skipped:
            continue
        if stack and len(stack) > 1:
            stack[-1][1].children.append(node)
        stack.append((depth, node))
    if len(stack) > 1:
        yield stack[1][1]
