"""Builds mpsops' macOS wheel on Linux, from its source distribution; checks its kernels, and audits it.

The CMake build is the real one, with the clang of the package `ziglang`, the headers and libraries of torch's
macOS wheels, and stubs in place of Apple's SDK. It proves that the Objective-C++ compiles and that all of it
links; nothing runs.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path

import ziglang

import audit
import system_libraries
import torch_wheel

HERE = Path(__file__).resolve().parent
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def unpack_source(folder: Path) -> None:
    """Writes the files of the source distribution that changed: what did not is not built again."""
    with tempfile.TemporaryDirectory() as temporary:
        code = f"from scikit_build_core.build import build_sdist; build_sdist({temporary!r})"
        subprocess.run(
            [sys.executable, "-c", code], check=True, cwd=torch_wheel.ROOT, stdout=subprocess.DEVNULL
        )
        (sdist,) = Path(temporary).glob("*.tar.gz")
        with tarfile.open(sdist) as archive:
            files = {
                folder.joinpath(*Path(member.name).parts[1:]): archive.extractfile(member).read()
                for member in archive.getmembers()
                if member.isfile()
            }
    for path in folder.rglob("*"):
        if path.is_file() and path not in files:
            path.unlink()
    for path, data in files.items():
        if not path.exists() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def copy_python_headers(folder: Path) -> None:
    """CPython's headers. They differ between systems in pyconfig.h alone, and both are LP64."""
    include = Path(sysconfig.get_paths()["include"])
    shutil.copytree(include, folder, dirs_exist_ok=True)
    # Debian's pyconfig.h leads to that of the processor, and knows none of a Mac.
    real = include.parent / str(sysconfig.get_config_var("MULTIARCH")) / include.name / "pyconfig.h"
    if real.exists():
        shutil.copy2(real, folder / "pyconfig.h")


def settings(roots: list[Path], libraries: Path, headers: Path) -> dict[str, str]:
    """What CMake and scikit-build-core cannot find out about the Python of a Mac."""
    return {
        "env._PYTHON_HOST_PLATFORM": "macosx-14.0-arm64",
        "cmake.define.CMAKE_TOOLCHAIN_FILE": str(HERE / "toolchain.cmake"),
        "cmake.define.MPSOPS_ZIG": str(Path(ziglang.__file__).parent / "zig"),
        "cmake.define.MPSOPS_SYSTEM_LIBRARIES": str(libraries),
        "cmake.define.MPSOPS_TORCH_ROOTS": ";".join(str(root) for root in roots),
        "cmake.define.MPSOPS_METAL_COMPILER": "OFF",
        "cmake.define.Python_INCLUDE_DIR": str(headers),
        "cmake.define.PYTHON_MODULE_EXTENSION": f".cpython-{PYTHON.replace('.', '')}-darwin.so",
        "cmake.define.PYTHON_MODULE_DEBUG_POSTFIX": "",
        "cmake.define.PYTHON_IS_DEBUG": "OFF",
    }


def build_wheel(source: Path, output: Path, config: dict[str, str]) -> Path:
    with tempfile.TemporaryDirectory() as temporary:
        command = [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ]
        command += ["--no-build-isolation", "--wheel-dir", temporary]
        command += [f"--config-settings={key}={value}" for key, value in config.items()]
        subprocess.run([*command, str(source)], check=True)
        (wheel,) = Path(temporary).glob("*.whl")
        output.mkdir(parents=True, exist_ok=True)
        target = output / wheel.name
        target.write_bytes(wheel.read_bytes())
    return target


def check_kernels(build: Path, versions: list[str]) -> list[str]:
    """What Apple's compiler would reject in the texts that the modules carry, headers of torch included."""
    sys.path.insert(0, str(HERE.parent))
    package = importlib.import_module("compile_kernels").load(
        "mpsops_msl", torch_wheel.ROOT / "python/mpsops/msl"
    )
    strict = importlib.import_module(f"{package.__name__}.strict")
    folders = ["mpsops_torch" + "".join(version.split(".")[:2]) for version in versions]
    texts = [path for folder in folders for path in sorted(build.glob(f"kernels/{folder}/*.metal"))]
    findings = [
        f"{path.parent.name}: {finding}"
        for path in texts
        for defines in ((), ("MPSOPS_NO_BFLOAT",))
        for finding in strict.check(path.read_text(), f"metal/{path.name}", defines=defines)
    ]
    print(f"checked {len(texts)} kernel families")
    return findings


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("versions", nargs="+", help="versions of torch, or `all` that mpsops supports")
    parser.add_argument("--build", type=Path, required=True, help="folder for downloads and objects")
    parser.add_argument("--output", type=Path, required=True, help="folder for the wheel")
    options = parser.parse_args()
    build = options.build.resolve()

    versions = torch_wheel.supported() if options.versions == ["all"] else options.versions
    downloads = build / "torch"
    roots = [torch_wheel.fetch(version, PYTHON, downloads) for version in versions]
    torches = [image for root in roots for image in audit.torch_libraries(root)]
    libraries = build / "libraries"
    system_libraries.write(system_libraries.known_symbols(torches), libraries)

    copy_python_headers(build / "python")
    unpack_source(build / "source")
    config = settings(roots, libraries, build / "python") | {"build-dir": str(build / "cmake")}
    wheel = build_wheel(build / "source", options.output.resolve(), config)
    findings = check_kernels(build / "cmake", versions)
    print(*findings, sep="\n", end="\n" if findings else "")
    return audit.main([str(wheel), "--downloads", str(downloads)]) or bool(findings)


if __name__ == "__main__":
    sys.exit(main())
