"""Metal Shading Language on the CPU: translate it to C++, compile it with clang, run it."""

from ._compiler import CompileError, compile_family, compile_source, include_directory
from ._translate import TranslateError

__all__ = ["CompileError", "TranslateError", "compile_family", "compile_source", "include_directory"]
