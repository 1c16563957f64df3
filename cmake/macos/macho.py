"""What a Mach-O file asks of the dynamic linker, and what it offers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import lief

# Of the flags in a symbol table entry (mach-o/nlist.h).
_STAB, _TYPE, _UNDEFINED, _EXTERNAL = 0xE0, 0x0E, 0x00, 0x01
_WEAK_REFERENCE = 0x40
# Ordinals of symbols that any loaded library may provide: Apple's linker writes 254, zig's 0.
_DYNAMIC_LOOKUP = {0, 254}


@dataclass
class Image:
    """One file of one architecture.

    Attributes:
        processor: ``"ARM64"``.
        macos: oldest macOS that loads it, ``(14, 0)``.
        name: its install name; ``""`` for a file that has none.
        libraries: install names of those that it links.
        rpaths: where ``@rpath`` is looked for.
        exports: symbols that other files may link.
        imports: for each library, by install name, the symbols that it must have; under ``None`` those that
            any loaded library may have, which is how modules find Python.
        weak: the symbols of ``imports`` that may be missing, on an older macOS for instance.
        selectors: of the Objective-C messages that are sent.
    """

    processor: str
    macos: tuple[int, int]
    name: str = ""
    libraries: list[str] = field(default_factory=list)
    rpaths: list[str] = field(default_factory=list)
    exports: set[str] = field(default_factory=set)
    imports: dict[str | None, set[str]] = field(default_factory=lambda: defaultdict(set))
    weak: set[str] = field(default_factory=set)
    selectors: set[str] = field(default_factory=set)


def read(path: Path) -> Image:
    """The only architecture of a Mach-O file.

    Raises:
        ValueError: it is no Mach-O file, or has several architectures.
    """
    lief.logging.disable()
    config = lief.MachO.ParserConfig()
    config.parse_dyld_bindings = False
    config.parse_dyld_rebases = False
    images = lief.MachO.parse(path, config)
    if images is None or images.size != 1:
        raise ValueError(f"{path.name} must be a Mach-O file of one architecture")
    binary = images.at(0)
    version = binary.build_version.minos
    image = Image(binary.header.cpu_type.name, (version[0], version[1]))
    image.rpaths = [rpath.path for rpath in binary.rpaths]
    for library in binary.libraries:
        if library.command == lief.MachO.LoadCommand.TYPE.ID_DYLIB:
            image.name = library.name
        else:
            image.libraries.append(library.name)
    for symbol in binary.symbols:
        kind = symbol.raw_type
        if kind & _STAB or not kind & _EXTERNAL or kind & _TYPE != _UNDEFINED:
            continue
        ordinal = symbol.description >> 8 & 0xFF
        library = None if ordinal in _DYNAMIC_LOOKUP else image.libraries[ordinal - 1]
        image.imports[library].add(symbol.name)
        if symbol.description & _WEAK_REFERENCE:
            image.weak.add(symbol.name)
    image.exports = {symbol.name for symbol in binary.exported_symbols}
    section = binary.get_section("__TEXT", "__objc_methname")
    if section is not None:
        image.selectors = set(bytes(section.content).decode().split("\0")) - {""}
    return image
