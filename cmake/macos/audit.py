"""Checks a macOS wheel of mpsops without running it: what its modules ask of torch, of Python and of macOS.

Every symbol that a module takes must be one that torch's libraries of that version export, that Python has,
or that macOS has for sure (system_libraries.py). Torch's libraries are downloaded if need be.
"""

from __future__ import annotations

import argparse
import ast
import ctypes
import email
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from packaging.utils import parse_wheel_filename

import macho
import system_libraries
import torch_wheel

LARGEST_MODULE = 8 << 20
RPATH = "@loader_path/../torch/lib"
# Selectors that torch's own binaries do not send: of NSString and MTLCompileOptions, as Apple documents them.
OTHER_SELECTORS = {
    *("initWithBytes:length:encoding:", "isEqualToString:", "setFastMathEnabled:", "setPreprocessorMacros:"),
}
# A path from the root that is not the system's, in any string: `"/home/me/x.cpp"`.
ABSOLUTE_PATH = re.compile(rb"(?<![\w.>*/:@)\]-])/(?!usr/lib/|System/|dev/)[A-Za-z][\w.+-]*/[\w.+/-]+")


@dataclass
class Tag:
    """What the name of a wheel says that its modules run on."""

    python: str  # "3.11"
    macos: tuple[int, int]
    processor: str  # as macho.Image has it

    def module(self, torch: str) -> str:
        """The file of the wheel that a minor release of torch ("2.13") loads."""
        python = self.python.replace(".", "")
        return f"mpsops/_C_torch{torch.replace('.', '')}.cpython-{python}-darwin.so"


def read_tag(name: str) -> Tag:
    """The tag of a wheel's file name.

    Raises:
        ValueError: it is not one of CPython on macOS.
    """
    (tag,) = parse_wheel_filename(name)[3]
    python = re.fullmatch(r"cp(\d)(\d+)", tag.interpreter)
    platform = re.fullmatch(r"macosx_(\d+)_(\d+)_(\w+)", tag.platform)
    if python is None or platform is None or tag.abi != tag.interpreter:
        raise ValueError(f"the wheel must be tagged for CPython on macOS, got {tag}")
    return Tag(f"{python[1]}.{python[2]}", (int(platform[1]), int(platform[2])), platform[3].upper())


@cache
def torch_libraries(root: Path) -> list[macho.Image]:
    """What mpsops links of a torch."""
    names = ("c10", "torch_cpu", "torch_python")
    return [macho.read(root / "lib" / f"lib{name}.dylib") for name in names]


def check_image(image: macho.Image, tag: Tag) -> Iterator[str]:
    """The file itself: processor, oldest macOS, where it looks for others."""
    if image.processor != tag.processor:
        yield f"must be for {tag.processor}, got {image.processor}"
    if image.macos != tag.macos:
        yield f"must run on macOS {tag.macos} and newer, as the wheel's name says, got {image.macos}"
    if image.rpaths != [RPATH]:
        yield f"must have the rpath {RPATH} and no other, got {image.rpaths}"
    if "/" in image.name:
        yield f"must have no path in its install name, got {image.name}"


def check_symbols(image: macho.Image, torch: list[macho.Image]) -> Iterator[str]:
    """What it takes from others is there."""
    exports = {library.name: library.exports for library in torch}
    python = set().union(*(library.imports.get(None, set()) for library in torch))
    system = system_libraries.known_symbols(torch)
    for name in image.libraries:
        if name not in exports and name not in system:
            yield f"must link torch and what torch links, got {name}"
    for name, symbols in image.imports.items():
        for symbol in sorted(symbols):
            if name is None:
                if symbol not in python and not hasattr(ctypes.pythonapi, symbol[1:]):
                    yield f"must find every symbol, got {symbol}, which no library has"
            elif symbol not in exports.get(name, set()) | system.get(name, set()):
                yield f"must find every symbol, got {symbol}, which is not known to be in {name}"
    selectors = set().union(*(library.selectors for library in torch)) | OTHER_SELECTORS
    for selector in sorted(image.selectors - selectors):
        yield f"must send messages that are known to exist, got {selector}"


def check_content(data: bytes, families: list[str]) -> Iterator[str]:
    """The kernels are in it; the simulator and the machine that built it are not."""
    for family in families:
        if f'#line 1 "metal/{family}.metal"\n'.encode() not in data:
            yield f"must carry the source of metal/{family}.metal"
    if b"6mpsops3sim" in data:
        yield "must not have the simulator in it"
    for path in sorted(set(ABSOLUTE_PATH.findall(data))):
        yield f"must name no file of the machine that built it, got {path.decode()}"
    if len(data) > LARGEST_MODULE:
        yield f"must be at most {LARGEST_MODULE} bytes, got {len(data)}"


def check_files(archive: zipfile.ZipFile, tag: Tag, minors: list[str]) -> Iterator[str]:
    """What else lies in the wheel."""
    names = archive.namelist()
    expected = {tag.module(minor) for minor in minors}
    native = {name for name in names if name.endswith((".so", ".dylib"))}
    if native != expected:
        yield f"must have the modules {sorted(expected)}, got {sorted(native)}"
    for name in names:
        if name.startswith(("mpsops/kernels/", "mpsops/msl/include/")):
            yield f"must have nothing that only Linux uses, got {name}"
        ours = name.startswith(("mpsops/", "mpsops_autoload/", "mpsops-"))
        if not ours or name.endswith((".pyc", ".cpp", ".o")):
            yield f"must hold the package alone, got {name}"
    (wheel,) = (name for name in names if name.endswith(".dist-info/WHEEL"))
    python = "cp" + tag.python.replace(".", "")
    wanted = f"{python}-{python}-macosx_{tag.macos[0]}_{tag.macos[1]}_{tag.processor.lower()}"
    found = email.message_from_bytes(archive.read(wheel))["Tag"]
    if found != wanted:
        yield f"must have the tag {wanted} inside too, got {found}"


def torch_versions(archive: zipfile.ZipFile) -> dict[str, str]:
    """TORCH_VERSIONS of the wheel: its minor releases of torch, with the versions it was built against."""
    (assignment,) = (
        node for node in ast.parse(archive.read("mpsops/_built.py")).body if isinstance(node, ast.Assign)
    )
    return ast.literal_eval(assignment.value)


def audit(wheel: Path, downloads: Path) -> list[str]:
    """All that is wrong with the wheel, a line each."""
    tag = read_tag(wheel.name)
    families = sorted(path.stem for path in (torch_wheel.ROOT / "metal").glob("*.metal"))
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        versions = torch_versions(archive)
        problems = [f"{wheel.name}: {text}" for text in check_files(archive, tag, list(versions))]
        for minor, version in versions.items():
            name = tag.module(minor)
            if name not in archive.namelist():
                continue
            path = Path(archive.extract(name, folder))
            root = torch_wheel.fetch(version, tag.python, downloads)
            image = macho.read(path)
            found = [*check_image(image, tag), *check_symbols(image, torch_libraries(root))]
            found += check_content(path.read_bytes(), families)
            problems += [f"{name}: {text}" for text in found]
            print(
                f"{name}: {path.stat().st_size:,} bytes; {sum(map(len, image.imports.values()))} symbols of "
                f"{len(image.libraries)} libraries, {len(image.selectors)} selectors; torch {version}"
            )
    print(f"{wheel.name}: {wheel.stat().st_size:,} bytes, torch {', '.join(versions)}")
    return problems


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheels", nargs="+", type=Path)
    parser.add_argument("--downloads", type=Path, required=True, help="folder to keep torch's libraries in")
    options = parser.parse_args(arguments)
    problems = [line for wheel in options.wheels for line in audit(wheel, options.downloads.resolve())]
    print(*problems, sep="\n", end="\n" if problems else "")
    print(f"audit: {len(options.wheels)} passed" if not problems else f"audit: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
