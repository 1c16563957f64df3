"""Fetches torch for macOS: the headers and libraries that mpsops is built against, on any system.

Prints the folders, `;` between them, as MPSOPS_TORCH_ROOTS takes them.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLATFORM = "macosx_14_0_arm64"


def supported() -> list[str]:
    """The first release of every minor that pyproject.toml allows: "2.13.0", "2.14.0"."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (requirement,) = (line for line in project["dependencies"] if re.match(r"torch\b", line))
    match = re.fullmatch(r"torch>=(\d+)\.(\d+),<\1\.(\d+)", requirement)
    if match is None:
        raise SystemExit(
            f"pyproject.toml: torch must be required as 'torch>=2.13,<2.16', got {requirement!r}"
        )
    return [f"{match[1]}.{minor}.0" for minor in range(int(match[2]), int(match[3]))]


def fetch(version: str, python: str, folder: Path) -> Path:
    """The folder of a torch for CPython ``python`` ("3.12") inside ``folder``, downloaded if need be."""
    root = folder / f"{version}-cp{python.replace('.', '')}" / "torch"
    if (root / "version.py").exists():
        return root
    with tempfile.TemporaryDirectory() as download:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary=:all:", "--platform", PLATFORM, "--implementation", "cp"]
        command += ["--python-version", python, "--abi", f"cp{python.replace('.', '')}"]
        subprocess.run([*command, "--dest", download, f"torch=={version}"], check=True)
        (wheel,) = Path(download).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            wanted = ("torch/include/", "torch/lib/lib")
            members = [name for name in archive.namelist() if name.startswith(wanted)]
            archive.extractall(root.parent, members)
            archive.extract("torch/version.py", root.parent)  # the last one: says that all is there
    return root


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("versions", nargs="+", help="versions of torch, or `all` that mpsops supports")
    parser.add_argument("--python", default=f"{sys.version_info.major}.{sys.version_info.minor}")
    parser.add_argument("--output", type=Path, required=True, help="folder to keep them in")
    options = parser.parse_args()
    versions = supported() if options.versions == ["all"] else options.versions
    folder = options.output.resolve()
    print(";".join(str(fetch(version, options.python, folder)) for version in versions))


if __name__ == "__main__":
    main()
