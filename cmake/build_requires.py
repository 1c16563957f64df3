"""Prints what the build needs besides torch and a C++ compiler, or an extra, one requirement a line."""

import sys
import tomllib
from pathlib import Path

pyproject = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
if len(sys.argv) > 1:
    print(*pyproject["project"]["optional-dependencies"][sys.argv[1]], sep="\n")
else:
    print(*pyproject["build-system"]["requires"], "cmake>=3.26", "ninja>=1.11", sep="\n")
