"""Drives clang: preprocess, translate, compile to a shared object."""

from __future__ import annotations

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

from ._cache import user_cache
from ._cache_key import cache_key
from ._rewriter import Constants
from ._translate import translate

_OLDEST_CLANG = 18  # arithmetic on __bf16

_LANGUAGE = ["-std=gnu++14", "-fsigned-char", "-fdeclspec", "-nostdinc", "-nostdinc++"]
# Address spaces are one on the CPU; what is constant is const. The translator reads these words, so
# they become macros only afterwards.
_WORDS = ["-Dkernel=", "-Ddevice=", "-Dthreadgroup=", "-Dthread=", "-Dconstant=const"]
_METAL = ["-D__METAL__=1", "-D__METAL_MACOS__=1", "-D__METAL_VERSION__=310", "-D__HAVE_BFLOAT__=1"]
_OPTIONS = [
    *["-fPIC", "-O2", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"],
    "-fno-plt",  # the linker's stubs would be code without a line
    *["-fno-strict-aliasing", "-fwrapv", "-fno-math-errno", "-ffp-contract=off"],
    *["-Xclang", "-ffloat16-excess-precision=none", "-Xclang", "-fbfloat16-excess-precision=none"],
    "-Wno-everything",
]
if platform.machine() == "x86_64":
    _OPTIONS.append("-mno-red-zone")  # where a thread waits, it pushes
# A call before each access. The scale makes clang tell apart what is aligned to its size (up to 16 bytes).
# With opt-same-temp it would leave out the store of `x += 1`. A loop without end must not be optimised away.
_CHECKED = [
    "-fsanitize=kernel-address,array-bounds,integer-divide-by-zero",
    *["-fno-sanitize-recover=all", "-fsanitize-undefined-strip-path-components=-1", "-fno-finite-loops"],
    *["-mllvm", "-asan-instrumentation-with-call-threshold=0", "-mllvm", "-asan-stack=0"],
    *["-mllvm", "-asan-globals=0", "-mllvm", "-asan-kernel-mem-intrinsic-prefix=1"],
    *["-mllvm", "-asan-mapping-scale=4", "-mllvm", "-asan-opt-same-temp=0"],
    *["-gline-tables-only", "-fdebug-compilation-dir=."],
]
_UNCHECKED = [
    # Published kernels load vectors at any multiple of the element: a checked library reports it.
    "-fmax-type-align=8",
    # A thread that waits in a function leaves two frames behind, for all threads of a group in turn.
    *["-mllvm", "-inline-threshold=1000"],
]
OWN_HEADERS = "<metal>"  # what line tables call the folder of Metal's standard library


class CompileError(RuntimeError):
    """A kernel source cannot be compiled."""


class SourceError(CompileError):
    """clang refused a kernel source.

    Attributes:
        diagnostics: what clang said, with file and line of the source.
    """

    def __init__(self, diagnostics: str) -> None:
        super().__init__(f"mpsops: the kernel source does not compile\n{diagnostics}")
        self.diagnostics = diagnostics


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


def _clang_identity() -> tuple[object, ...]:
    """The commands, and which version of the program lies there."""
    compile_command, link_command = clang()
    program = Path(compile_command[0]).stat()
    return compile_command, link_command, program.st_size, program.st_mtime_ns


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
        raise SourceError(done.stderr.strip())
    return done.stdout


def _torch_include() -> Path | None:
    folder = _package_folder("torch")
    return None if folder is None else folder / "include"


def preprocess(
    source: str,
    name: str,
    *,
    checked: bool,
    include: Sequence[Path] = (),
    defines: Sequence[str] = (),
    torch_include: Path | None = None,
    folder: Path | None = None,
) -> str:
    """`source` with its headers, line markers kept; errors and sites call it `name`.

    `folder` is where names in quotes are looked up first, by default the current one.
    """
    torch_include = torch_include or _torch_include()
    flags = [*_LANGUAGE, *_METAL, "-isystem", str(include_directory())]
    for each in include:
        flags += ["-I", str(each)]
    if torch_include is not None:
        flags += ["-isystem", str(torch_include)]
    if checked:
        flags += ["-DMPSOPS_SIM_CHECKED=1"]
    # By its path: the folder that we are in may have one of that name.
    folders = (*include, include_directory())
    support = next(file for at in folders if (file := at / "mpsops_support.h").is_file())
    # Apple's compiler knows the library without an #include: published kernels use it so.
    flags += ["-include", str(support), "-include", "metal_stdlib"]
    command = [*clang()[0], "-x", "c++", "-E", *flags, "-"]
    # Not by -D: our own headers, which come first, need not survive them.
    macros = (define.partition("=") for define in defines)
    head = "".join(f"#define {macro} {value if equals else 1}\n" for macro, equals, value in macros)
    return _run(command, f'{head}#line 1 "{name}"\n{source}', cwd=folder)


def build(
    text: str,
    output: Path,
    *,
    checked: bool,
    constants: Constants | None = None,
    text_output: Path | None = None,
    torch_include: Path | None = None,
) -> None:
    """Preprocessed Metal Shading Language to the shared object `output`."""
    translated = translate(text, str(include_directory()), constants=constants)
    if text_output is not None:
        text_output.write_text(translated)
    output.parent.mkdir(parents=True, exist_ok=True)
    compile_command, link_command = clang()
    with tempfile.TemporaryDirectory(prefix=".mpsops-", dir=output.parent) as folder:
        object_file = Path(folder) / "kernels.o"
        library = Path(folder) / "kernels.so"
        flags = [*_LANGUAGE, *_WORDS, *_OPTIONS, *_machine()]
        flags += _CHECKED if checked else _UNCHECKED
        if checked:
            flags += [f"-fdebug-prefix-map={include_directory()}={OWN_HEADERS}"]
            if (torch_include := torch_include or _torch_include()) is not None:
                flags.append(f"-fdebug-prefix-map={torch_include}=torch")
        _run([*compile_command, "-x", "c++", *flags, "-c", "-o", str(object_file), "-"], translated)
        _run([*link_command, "-shared", "-o", str(library), str(object_file)])
        library.replace(output)


def compile_source(
    source: str,
    *,
    name: str = "program_source",
    checked: bool = False,
    include: Sequence[Path] = (),
    defines: Sequence[str] = (),
    constants: Constants | None = None,
) -> Path:
    """The shared object of `source`, compiled unless the cache has it."""
    include = [folder.resolve() for folder in include]

    def make(output: Path) -> None:
        # Not from the current folder, where quotes would find what the cache does not know of.
        text = preprocess(
            source, name, checked=checked, include=include, defines=defines, folder=output.parent
        )
        build(text, output, checked=checked, constants=constants)

    cache = user_cache()
    flags = [_LANGUAGE, _METAL, _WORDS, _OPTIONS, _machine(), _CHECKED if checked else _UNCHECKED]
    options = [name, checked, list(defines), constants or {}, flags, _clang_identity()]
    key = cache_key(source, include, _torch_include(), options)
    try:
        return cache.find(key) or cache.add(key, make)
    except OSError as error:
        raise CompileError(
            f"mpsops: cannot keep compiled kernels in {cache.folder}: {error.strerror}; set MPSOPS_CACHE_DIR"
        ) from error


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
        build(preprocessed, output / f"{source.stem}{suffix}", checked=checked, torch_include=torch_include)
