"""The grid: registered overloads x sizes x dtypes x layouts. Nothing here lists an op."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from typing import ClassVar

import mpsops

from . import overloads
from .sizes import SIZES

FLOATS = ("float32", "float16", "bfloat16")
# The largest, with the bulk of the traffic, comes first: a run may end early.
ORDER = ("large", "medium", "tiny", "odd", "batch")


@dataclass(frozen=True)
class Case:
    """One row of a run, but for the provider.

    Attributes:
        name: the overload, ``aten::mode``.
        family: stem of its files.
        size: of :data:`mpsops._harness.sizes.SIZES`.
        dtype: of the first tensor argument, by torch's name.
        layout: ``contiguous``, or ``strided``: the last two dimensions of every tensor are swapped in memory.
    """

    limit: ClassVar[float] = 60.0

    name: str
    family: str
    size: str
    dtype: str
    layout: str = "contiguous"

    @property
    def suite(self) -> str:
        return "ops"

    @property
    def id(self) -> str:
        return f"{self.name}-{self.size}-{self.dtype}-{self.layout}"

    @property
    def direction(self) -> str:
        return "bwd" if overloads.is_backward(self.name) else "fwd"

    def as_row(self) -> dict[str, str]:
        return {
            "suite": self.suite,
            "case": self.id,
            **asdict(self),
            "pass": self.direction,
            "form": overloads.form(self.name),
        }


def main_dtype(row: mpsops.OpRow) -> str:
    return next((name for name in FLOATS if name in row.dtypes), row.dtypes[0])


def of_op(row: mpsops.OpRow) -> Iterator[Case]:
    """Functional overloads in the whole grid; those into given memory, the same kernels, in two sizes."""
    main = main_dtype(row)
    variant = overloads.form(row.name) != "functional"
    for size in ORDER:
        if not variant or size in {"large", "tiny"}:
            yield Case(row.name, row.family, size, main)
    if variant:
        return
    yield Case(row.name, row.family, "medium", main, "strided")
    halves = [name for name in FLOATS if name in row.dtypes and name != main]
    integers = [name for name in ("int64", "uint8") if name in row.dtypes and name != main]
    for dtype in halves + integers[:1]:
        yield Case(row.name, row.family, "large", dtype)
        yield Case(row.name, row.family, "medium", dtype)


def all_cases() -> list[Case]:
    """By size, then family, then dtype: cases that share their inputs follow each other."""
    cases = [case for row in mpsops.ops() for case in of_op(row)]
    halves = {dtype: i for i, dtype in enumerate(FLOATS)}

    def order(case: Case) -> tuple[object, ...]:
        plain = case.layout == "contiguous" and case.dtype not in FLOATS[1:]
        return (
            not plain,
            ORDER.index(case.size),
            case.family,
            halves.get(case.dtype, 9),
            case.dtype,
            case.layout,
        )

    return sorted(cases, key=order)


def select(
    patterns: list[str], sizes: list[str] | None = None, dtypes: list[str] | None = None
) -> list[Case]:
    """Cases whose overload, op or family a pattern names (with ``*``); all without patterns.

    Raises ValueError for a pattern that selects nothing, or a size that does not exist.
    """
    cases = all_cases()
    if sizes and (unknown := set(sizes) - set(SIZES)):
        raise ValueError(f"sizes: must be of {', '.join(SIZES)}, got {', '.join(sorted(unknown))}")

    def named(case: Case, pattern: str) -> bool:
        short = case.name.removeprefix("aten::")
        return any(fnmatch(name, pattern) for name in (case.name, short, short.split(".")[0], case.family))

    for pattern in patterns:
        if not any(named(case, pattern) for case in cases):
            raise ValueError(f"op: must name an overload, an op or a family, got {pattern!r}")
    return [
        case
        for case in cases
        if (not patterns or any(named(case, pattern) for pattern in patterns))
        and (not sizes or case.size in sizes)
        and (not dtypes or case.dtype in dtypes)
    ]
