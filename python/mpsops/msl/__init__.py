"""Metal Shading Language on the CPU: translate it to C++, compile it with clang, run it.

>>> library = mpsops.msl.compile(source)
>>> library["add"](out, a, b, threads=out.numel())
"""

from typing import TYPE_CHECKING

from ._compiler import CompileError, compile_family, compile_source, include_directory
from ._tokens import TranslateError

if TYPE_CHECKING:
    from ._library import Kernel, Library, ThreadgroupMemory, compile

__all__ = [
    "CompileError",
    "Kernel",
    "Library",
    "ThreadgroupMemory",
    "TranslateError",
    "compile",
    "compile_family",
    "compile_source",
    "include_directory",
]


def __getattr__(name: str) -> object:
    # The build imports this package without torch and without mpsops._C.
    if name in {"Kernel", "Library", "ThreadgroupMemory", "compile"}:
        from . import _library

        return getattr(_library, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
