"""versions.py python | torch | newest-torch: what pyproject.toml supports. versions.py tag TAG: checks it."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
sys.path.insert(0, str(ROOT / "cmake/macos"))

import torch_wheel  # noqa: E402


def pythons() -> list[str]:
    prefix = "Programming Language :: Python :: "
    names = [text.removeprefix(prefix) for text in PROJECT["classifiers"] if text.startswith(prefix)]
    return [name for name in names if re.fullmatch(r"3\.\d+", name)]


def torches() -> list[str]:
    return [version.removesuffix(".0") for version in torch_wheel.supported()]


def check_tag(tag: str) -> None:
    if tag != f"v{PROJECT['version']}":
        raise SystemExit(f"tag must be v{PROJECT['version']}, the version of pyproject.toml, got {tag}")


def main(arguments: list[str]) -> None:
    match arguments:
        case ["python"]:
            print(*pythons(), sep="\n")
        case ["torch"]:
            print(*torches(), sep="\n")
        case ["newest-torch"]:
            print(torches()[-1])
        case ["tag", tag]:
            check_tag(tag)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
