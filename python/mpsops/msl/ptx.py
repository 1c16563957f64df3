"""Kernels as PTX, for an NVIDIA GPU: ``python -m mpsops.msl.ptx -o FOLDER metal/*.metal``.

The source and the translation are those for the CPU, the headers csrc/cuda/msl before csrc/sim/msl.
Needs a clang with the NVPTX target (of `ziglang`, or of the system) and NVIDIA's libdevice
(``pip install nvidia-cuda-nvcc-cu12``, or a CUDA toolkit in CUDA_HOME); where ptxas is there too, each file
is assembled, and what the assembler says of spilled registers is told.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ._compiler import _LANGUAGE, _METAL, _WORDS, CompileError, _package_folder, _run, clang
from ._targets import PTX
from ._translate import translate

_TARGET = ["--target=nvptx64-nvidia-cuda", "-march=sm_80"]
# Contraction as nvcc does it, and Metal may: a product is fused into a sum of the same expression.
_OPTIONS = [
    *["-O3", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-fno-strict-aliasing"],
    *["-fwrapv", "-fno-math-errno", "-ffp-contract=on", "-Wno-everything"],
]


def _toolkits() -> Iterator[Path]:
    if (package := _package_folder("nvidia")) is not None:
        yield package / "cuda_nvcc"
    for folder in (os.environ.get("CUDA_HOME"), "/usr/local/cuda"):
        if folder:
            yield Path(folder)


def libdevice() -> Path:
    """NVIDIA's math functions, as LLVM bitcode."""
    for toolkit in _toolkits():
        if (path := toolkit / "nvvm" / "libdevice" / "libdevice.10.bc").exists():
            return path
    raise CompileError(
        "mpsops: PTX needs NVIDIA's libdevice; `pip install nvidia-cuda-nvcc-cu12` provides it"
    )


def ptxas() -> Path | None:
    return next((path for toolkit in _toolkits() if (path := toolkit / "bin" / "ptxas").exists()), None)


def compile_ptx(source: Path, torch_include: Path) -> str:
    """The PTX of ``metal/<family>.metal`` of a clone: an entry for each kernel. Raises CompileError."""
    root = source.resolve().parents[1]
    headers = [root / "csrc" / "cuda" / "msl", root / "csrc" / "sim" / "msl"]
    flags = [*_TARGET, *_LANGUAGE, *_METAL]
    for folder in headers:
        flags += ["-isystem", str(folder)]
    for folder in (source.resolve().parent, root):
        flags += ["-I", str(folder)]
    flags += ["-isystem", str(torch_include)]
    command = [*clang()[0], "-x", "c++", "-E", *flags, "-include", "mpsops_support.h", "-"]
    text = _run(command, f'#line 1 "{source.name}"\n{source.read_text()}')
    translated = translate(text, str(root / "csrc"), PTX)
    bitcode = ["-Xclang", "-mlink-builtin-bitcode", "-Xclang", str(libdevice())]
    command = [*clang()[0], *_TARGET, "-x", "c++", *_LANGUAGE, *_WORDS, *_OPTIONS, *bitcode]
    ptx = _run([*command, "-S", "-o", "-", "-"], translated)
    if unresolved := re.findall(r"\.extern \.func\b[^;]*?(\w+)\s*\(", ptx):
        raise CompileError(f"mpsops: {source.name} needs {', '.join(sorted(set(unresolved)))} on NVIDIA GPUs")
    return ptx


def assemble(ptx: str) -> list[str]:
    """What ptxas warns of, as "kernel: 16 bytes of stack". Raises CompileError if it refuses."""
    assembler = ptxas()
    assert assembler is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernels.ptx"
        path.write_text(ptx)
        # As the driver of an H100 does: for newer GPUs than the PTX asks for, the assembler refuses more.
        command = [str(assembler), "-arch=sm_90", "-v", str(path), "-o", str(path.with_suffix(".cubin"))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CompileError(done.stderr.strip())
    return [
        f"{name}: {stack} bytes of stack"
        for name, stack in re.findall(
            r"Function properties for (\w+)\s*\n\s*(\d+) bytes stack frame", done.stderr
        )
        if stack != "0"
    ]


def main() -> int:
    import argparse

    parser = argparse.ArgumentParser(prog="python -m mpsops.msl.ptx", description="Compile kernels to PTX.")
    parser.add_argument("sources", type=Path, nargs="+", metavar="FILE.metal")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for <family>.ptx")
    options = parser.parse_args()
    torch_folder = _package_folder("torch")
    if torch_folder is None:
        parser.error("needs torch, for its Metal headers")
    options.output.mkdir(parents=True, exist_ok=True)
    failed = 0
    for source in options.sources:
        try:
            ptx = compile_ptx(source, torch_folder / "include")
            notes = assemble(ptx) if ptxas() else []
        except (CompileError, ValueError) as error:
            print(f"{source}: {error}", file=sys.stderr)
            failed += 1
            continue
        (options.output / f"{source.stem}.ptx").write_text(ptx)
        print(f"{source.name}: {ptx.count('.entry')} kernels{''.join(f'; {note}' for note in notes)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
