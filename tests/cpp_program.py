"""C++ programs of tests/cpp: parts of csrc with a fake around them, printing one row for each case."""

import subprocess
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parent.parent
TORCH = Path(torch.__file__).parent


def rows(name: str, folder: Path) -> dict[str, str]:
    """Builds tests/cpp/<name>.cpp into `folder` and runs it: what it says of each case."""
    program = folder / name
    flags = ["-std=c++20", "-O0", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}"]
    flags += ["-pthread"] if sys.platform == "linux" else []  # elsewhere clang may call it unused
    flags += ["-isystem", str(TORCH / "include")]
    flags += [f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}"]
    libraries = [f"-L{TORCH / 'lib'}", f"-Wl,-rpath,{TORCH / 'lib'}", "-lc10", "-ltorch_cpu"]
    source = ROOT / f"tests/cpp/{name}.cpp"
    subprocess.run(["c++", *flags, source, "-o", program, *libraries], check=True, timeout=300)
    output = subprocess.run([program], capture_output=True, text=True, check=True, timeout=60).stdout
    return dict(line.split(" | ", 1) for line in output.splitlines())
