"""Compiles one metal/<family>.metal to <family>.so and <family>.checked.so.

Run by CMake; loads python/mpsops/msl by path, because importing mpsops would import torch.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def load(name: str, folder: Path):
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path, help="folder")
    parser.add_argument("--torch-include", type=Path, required=True)
    options = parser.parse_args()
    msl = load("mpsops_msl_build", ROOT / "python" / "mpsops" / "msl")
    name = options.source.resolve().relative_to(ROOT).as_posix()
    try:
        msl.compile_family(options.source, name, ROOT, options.output, options.torch_include)
    except (msl.CompileError, msl.TranslateError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
