"""When mpsops cannot start: a program gets the exception, who typed a command gets its text."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COULD_NOT_RUN = 2


def _is_command() -> bool:
    # While python looks for the module of `-m`, argv[0] is "-m": packages above it are imported then.
    return sys.argv[0] == "-m" or Path(sys.argv[0]).stem == "mpsops"


@contextmanager
def explained() -> Iterator[None]:
    """Around what the package must import: no torch, or one that does not fit."""
    try:
        yield
    except ImportError as error:
        if not _is_command():
            raise
        notes = getattr(error, "__notes__", [])
        print("\n".join([f"mpsops: {error}", *notes]), file=sys.stderr)
        raise SystemExit(COULD_NOT_RUN) from None
