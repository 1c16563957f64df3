"""Drives clang: preprocess, translate, compile to a shared object."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ._translate import translate

_OLDEST_CLANG = 18  # arithmetic on __bf16

_LANGUAGE = ["-std=gnu++14", "-fsigned-char", "-nostdinc", "-nostdinc++"]
# Address spaces are one on the CPU; what is constant is const. The translator reads these words, so
# they become macros only afterwards.
_WORDS = ["-Dkernel=", "-Ddevice=", "-Dthreadgroup=", "-Dthread=", "-Dconstant=const"]
_METAL = ["-D__METAL__=1", "-D__METAL_VERSION__=310", "-D__HAVE_BFLOAT__=1"]
_OPTIONS = [
    *["-fPIC", "-O2", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"],
    *["-fno-strict-aliasing", "-fwrapv", "-fno-math-errno", "-ffp-contract=off"],
    *["-Xclang", "-ffloat16-excess-precision=none", "-Xclang", "-fbfloat16-excess-precision=none"],
    *["-Wno-everything", "-Werror=c++17-extensions"],
]
_CHECKED = [
    "-fsanitize=kernel-address",
    *["-mllvm", "-asan-instrumentation-with-call-threshold=0", "-mllvm", "-asan-stack=0"],
    *["-mllvm", "-asan-globals=0", "-mllvm", "-asan-kernel-mem-intrinsic-prefix=1"],
]


class CompileError(RuntimeError):
    """clang refused a kernel source. The text is clang's, with file and line of the source."""


def include_directory() -> Path:
    """The headers that make Metal Shading Language valid C++."""
    here = Path(__file__).resolve().parent
    installed = here / "include"
    return installed if installed.is_dir() else here.parents[2] / "csrc" / "sim" / "msl"


def _package_folder(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


@cache
def clang() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The commands that compile and link: of the `ziglang` package, or of the system."""
    override = os.environ.get("MPSOPS_CLANG")
    if override is None and (folder := _package_folder("ziglang")) is not None:
        zig = str(folder / "zig")
        return (zig, "clang"), (zig, "ld.lld")
    names = (
        [override] if override else ["clang++", *(f"clang++-{n}" for n in range(26, _OLDEST_CLANG - 1, -1))]
    )
    for name in names:
        path = shutil.which(name)
        if path is None:
            continue
        text = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
        version = re.search(r"version (\d+)", text)
        if version and int(version[1]) >= _OLDEST_CLANG:
            return (path,), (path, "-nostdlib", "-fuse-ld=lld")
    raise CompileError(
        f"mpsops: compiling kernels needs clang {_OLDEST_CLANG} or newer; `pip install ziglang` provides one"
    )


@cache
def _machine() -> list[str]:
    """What this processor has beyond the baseline: conversions of half, and fma."""
    if platform.machine() != "x86_64":
        return []
    try:
        flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        return []
    have = set(flags[1].split()) if flags else set()
    wanted = {"avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"}
    return ["-march=x86-64-v3"] if wanted <= have else ["-march=x86-64"]


def _run(command: Sequence[str], text: str | None = None, cwd: Path | None = None) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode != 0:
        raise CompileError(f"mpsops: the kernel source does not compile\n{done.stderr.strip()}")
    return done.stdout


def preprocess(
    source: str, name: str, *, checked: bool, include: Sequence[Path] = (), torch_include: Path | None = None
) -> str:
    """`source` with its headers, line markers kept; errors and sites call it `name`."""
    if torch_include is None and (folder := _package_folder("torch")) is not None:
        torch_include = folder / "include"
    flags = [*_LANGUAGE, *_METAL, "-isystem", str(include_directory())]
    for folder in include:
        flags += ["-I", str(folder)]
    if torch_include is not None:
        flags += ["-isystem", str(torch_include)]
    if checked:
        flags += ["-DMPSOPS_SIM_CHECKED=1"]
    command = [*clang()[0], "-x", "c++", "-E", *flags, "-include", "mpsops_support.h", "-"]
    return _run(command, f'#line 1 "{name}"\n{source}')


def build(text: str, output: Path, *, checked: bool, text_output: Path | None = None) -> None:
    """Preprocessed Metal Shading Language to the shared object `output`."""
    translated = translate(text, str(include_directory()))
    if text_output is not None:
        text_output.write_text(translated)
    output.parent.mkdir(parents=True, exist_ok=True)
    compile_command, link_command = clang()
    with tempfile.TemporaryDirectory(prefix=".mpsops-", dir=output.parent) as folder:
        object_file = Path(folder) / "kernels.o"
        library = Path(folder) / "kernels.so"
        flags = [*_LANGUAGE, *_WORDS, *_OPTIONS, *_machine(), *(_CHECKED if checked else [])]
        _run([*compile_command, "-x", "c++", *flags, "-c", "-o", str(object_file), "-"], translated)
        _run([*link_command, "-shared", "-o", str(library), str(object_file)])
        library.replace(output)


def cache_directory() -> Path:
    """Where compiled sources are kept: MPSOPS_CACHE_DIR, or the user's cache folder."""
    if folder := os.environ.get("MPSOPS_CACHE_DIR"):
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "mpsops" / "kernels"


def compile_source(
    source: str, *, name: str = "program_source", checked: bool = False, include: Sequence[Path] = ()
) -> Path:
    """The shared object of `source`, compiled unless the cache has it."""
    text = preprocess(source, name, checked=checked, include=include)
    key = hashlib.sha256()
    for part in (text, repr((_OPTIONS, _machine(), _CHECKED if checked else [], clang()))):
        key.update(part.encode())
    for module in ("_tokens.py", "_translate.py"):
        key.update((Path(__file__).parent / module).read_bytes())
    output = cache_directory() / f"{key.hexdigest()[:32]}.so"
    if not output.exists():
        build(text, output, checked=checked)
    return output


def compile_family(source: Path, name: str, root: Path, output: Path, torch_include: Path) -> None:
    """Compiles a .metal file to <stem>.so and <stem>.checked.so in `output`."""
    text = source.read_text()
    # The folder of the file first, as quotes ask for; then the root, as `metal/common/x.h` asks for.
    include = [source.resolve().parent, root]
    for checked, suffix in ((False, ".so"), (True, ".checked.so")):
        preprocessed = preprocess(text, name, checked=checked, include=include, torch_include=torch_include)
        # No absolute paths in the library: sites name files as they are in the tree.
        preprocessed = preprocessed.replace(
            f'"{source.resolve().parent}/', f'"{source.resolve().parent.name}/'
        )
        build(preprocessed, output / f"{source.stem}{suffix}", checked=checked)
