"""Which line of a .metal source a machine instruction of a kernel library comes from."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from elftools.dwarf.ranges import BaseAddressEntry
from elftools.elf.elffile import ELFFile

from ._compiler import OWN_HEADERS


class _Inlined(NamedTuple):
    """Code of a function that was inlined, and where it was called."""

    begin: int
    end: int
    caller: str
    line: int


class SourceLines:
    """The line table of one library, and its inlined calls."""

    def __init__(self, path: str) -> None:
        self._rows: list[tuple[int, str, int]] = []  # address, file, line; by address
        self._inlined: list[_Inlined] = []
        with open(path, "rb") as file:
            dwarf = ELFFile(file).get_dwarf_info()
            for unit in dwarf.iter_CUs():
                self._read(dwarf, unit)
        self._rows.sort(key=lambda row: row[0])
        self._addresses = [row[0] for row in self._rows]

    def _read(self, dwarf: Any, unit: Any) -> None:
        program = dwarf.line_program_for_CU(unit)
        if program is None:
            return
        version = program.header["version"]
        entries = program.header["file_entry"]
        directories = program.header["include_directory"]

        def name(index: int) -> str:
            entry = entries[index if version >= 5 else index - 1]
            text: str = entry.name.decode()
            folder = entry["dir_index"] if version >= 5 else entry["dir_index"] - 1
            if text.startswith("/") or folder <= (0 if version >= 5 else -1):
                return text
            return f"{directories[folder].decode()}/{text}".removeprefix("./")

        for entry in program.get_entries():
            state = entry.state
            # What belongs to no line (0) goes with the line before it.
            if state is not None and (state.line or state.end_sequence):
                self._rows.append((state.address, name(state.file), state.line))
        for die in unit.iter_DIEs():
            if die.tag == "DW_TAG_inlined_subroutine":
                caller = name(die.attributes["DW_AT_call_file"].value)
                line = die.attributes["DW_AT_call_line"].value
                self._inlined += [_Inlined(b, e, caller, line) for b, e in _ranges(dwarf, unit, die)]

    def frames(self, address: int) -> list[tuple[str, int]]:
        """File and line of the instruction, then of each call that it was inlined through."""
        at = bisect.bisect_right(self._addresses, address) - 1
        if at < 0 or self._rows[at][2] == 0:
            return []
        around = [call for call in self._inlined if call.begin <= address < call.end]
        around.sort(key=lambda call: call.end - call.begin)
        return [self._rows[at][1:], *((call.caller, call.line) for call in around)]


def _ranges(dwarf: Any, unit: Any, die: Any) -> Iterator[tuple[int, int]]:
    if (low := die.attributes.get("DW_AT_low_pc")) is not None:
        high = die.attributes["DW_AT_high_pc"]
        yield low.value, high.value if high.form == "DW_FORM_addr" else low.value + high.value
    elif (ranges := die.attributes.get("DW_AT_ranges")) is not None:
        top = unit.get_top_DIE().attributes.get("DW_AT_low_pc")
        base = top.value if top is not None else 0
        for entry in dwarf.range_lists().get_range_list_at_offset(ranges.value, unit):
            if isinstance(entry, BaseAddressEntry):
                base = entry.base_address
            elif entry.is_absolute:
                yield entry.begin_offset, entry.end_offset
            else:
                yield base + entry.begin_offset, base + entry.end_offset


@lru_cache(maxsize=4)
def _source_lines(path: str) -> SourceLines:
    return SourceLines(path)


def locate(path: str, offset: int) -> str:
    """`file:line` of the code at `offset` of the library, in the user's own source.

    Metal's standard library is skipped: there the call of it counts. What was inlined names its outermost
    call, too.
    """
    # A call returns to the instruction behind it; that before belongs to the same line as the call.
    frames = _source_lines(path).frames(offset - 1)
    own = [f"{file}:{line}" for file, line in frames if not file.startswith(OWN_HEADERS)]
    if not own:
        return "an unknown line"
    return own[0] if len(own) == 1 or own[0] == own[-1] else f"{own[0]} (called from {own[-1]})"
