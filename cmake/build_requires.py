"""Prints what the build needs besides torch and a C++ compiler, one requirement a line."""

import tomllib
from pathlib import Path

pyproject = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
print(*pyproject["build-system"]["requires"], "cmake>=3.26", "ninja>=1.11", sep="\n")
