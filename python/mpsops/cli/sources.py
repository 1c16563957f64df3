"""``mpsops sources``: the Metal source of every kernel family."""

from pathlib import Path
from typing import Annotated

import typer

from mpsops import _C

from . import _output
from ._options import Json

EXIT_STATUS = "Exit status: 0, or 2 if FOLDER cannot be written."
_COMPILER = "xcrun -sdk macosx metal -std=metal3.1 -fno-fast-math -c -o /dev/null"


def write_sources(folder: Path) -> list[Path]:
    """Writes ``<family>.metal`` for each family."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for family, text in sorted(_C.sources().items()):
        files.append(folder / f"{family}.metal")
        files[-1].write_text(text, encoding="utf-8")
    return files


def sources(
    folder: Annotated[Path, typer.Argument(help="Is made if it is not there.", file_okay=False)],
    as_json: Json = False,
) -> None:
    """Write the Metal source of every kernel family, as Apple's compiler gets it.

    Prints the line that compiles them all on a Mac with Xcode.
    """
    try:
        files = write_sources(folder)
    except OSError as error:
        _output.error(f"{folder} must be a folder to write to: {error.strerror}")
        raise typer.Exit(2) from error
    if as_json:
        _output.print_json({path.stem: str(path) for path in files})
        return
    print(f"{len(files)} families in {folder}. With Xcode, this compiles them:")
    print(f'for f in {folder}/*.metal; do {_COMPILER} "$f" || echo "FAILED: $f"; done')
