"""What another version of torch has on MPS, against the one that runs."""

from dataclasses import dataclass
from pathlib import Path

from . import yaml_file


@dataclass(frozen=True)
class Difference:
    """Overloads with ``aten::``, by name.

    Attributes:
        gained: native in this torch, there without an MPS kernel.
        lost: native there, in this torch without one.
        added: native in this torch; the other has no such op.
        removed: native there; this torch has no such op.
    """

    gained: tuple[str, ...]
    lost: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]


def compare(other: Path) -> Difference:
    """Raises what :func:`yaml_file.read` does."""
    here = yaml_file.read(yaml_file.path_of_running_torch())
    there = yaml_file.read(other)
    native_here = {name for name, entry in here.items() if entry.native}
    native_there = {name for name, entry in there.items() if entry.native}

    def names(found: set[str]) -> tuple[str, ...]:
        return tuple(f"aten::{name}" for name in sorted(found))

    return Difference(
        gained=names((native_here - native_there) & there.keys()),
        lost=names((native_there - native_here) & here.keys()),
        added=names(native_here - there.keys()),
        removed=names(native_there - here.keys()),
    )
