"""Apple's libraries as .tbd files, from what torch's own binaries take from them.

A symbol that torch needs of a library is there on every macOS that torch supports. So the stubs hold those,
and a short list of others that are documented; whatever else mpsops comes to need shows in the audit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from macho import Image

FRAMEWORKS = "/System/Library/Frameworks"
LIBSYSTEM = "/usr/lib/libSystem.B.dylib"  # its .tbd comes with ziglang

# Beyond torch's own needs, with where it is said that macOS 14 has them.
ALSO = {
    # Clang's documentation of ARC, "Runtime support"; <objc/message.h>.
    "/usr/lib/libobjc.A.dylib": {
        *(
            "_objc_alloc",
            "_objc_alloc_init",
            "_objc_autoreleasePoolPop",
            "_objc_autoreleasePoolPush",
            "_objc_msgSend",
        ),
        *("_objc_release", "_objc_retain", "_objc_retainAutoreleasedReturnValue", "_objc_storeStrong"),
        *("_objc_autoreleaseReturnValue", "_objc_enumerationMutation"),
    },
    # Apple's documentation: macOS 10.0 and 10.11. Torch links these frameworks weakly, which proves nothing.
    f"{FRAMEWORKS}/Foundation.framework/Versions/C/Foundation": {"_OBJC_CLASS_$_NSString"},
    f"{FRAMEWORKS}/Metal.framework/Versions/A/Metal": {
        *("_MTLLibraryErrorDomain", "_OBJC_CLASS_$_MTLCompileOptions"),
    },
    # operator delete with a size: clang calls it on macOS 10.12 and newer (AlignedAllocation.h).
    # std::uncaught_exceptions: macOS 10.12, says _LIBCPP_AVAILABILITY_UNCAUGHT_EXCEPTIONS of older libc++.
    "/usr/lib/libc++.1.dylib": {"__ZdlPvm", "__ZdlPvmSt11align_val_t", "__ZSt19uncaught_exceptionsv"},
    # zig's compiler_rt; Apple's own asks the system for its version in the same way.
    LIBSYSTEM: {"__availability_version_check", "_sys_icache_invalidate"},
}


def known_symbols(torch: Iterable[Image]) -> dict[str, set[str]]:
    """For each system library, by install name, the symbols that it has for sure."""
    known = {name: set(symbols) for name, symbols in ALSO.items()}
    for image in torch:
        for library, symbols in image.imports.items():
            if library is not None and library.startswith(("/usr/lib/", "/System/Library/")):
                known.setdefault(library, set()).update(symbols - image.weak)
    return known


def write(known: Mapping[str, set[str]], folder: Path) -> None:
    """``Metal.framework/Metal.tbd``, ``libobjc.A.tbd`` and so on, for -F and -L of ``folder``."""
    for name, symbols in known.items():
        if name == LIBSYSTEM:
            continue
        stem = PurePosixPath(name).stem
        inner = Path(f"{stem}.framework") if ".framework/" in name else Path()
        path = folder / inner / f"{stem}.tbd"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "--- !tapi-tbd\n"
            "tbd-version: 4\n"
            "targets: [ arm64-macos ]\n"
            f"install-name: '{name}'\n"
            "exports:\n"
            "  - targets: [ arm64-macos ]\n"
            f"    symbols: [ {', '.join(f'{symbol!r}' for symbol in sorted(symbols))} ]\n"
            "...\n"
        )
