"""What there is to measure: suites of cases, and how options select of them.

A case is a dataclass of plain values, so that it travels to the process that measures it
(benchmarks/measuring has how). Ops come from the registry, programs from ``benchmarks.models``.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Protocol

from benchmarks import programs
from benchmarks.models import SUITES as PROGRAM_SUITES
from mpsops._harness import cases as ops


class Case(Protocol):
    """One row of a run, but for the provider.

    Attributes:
        limit: seconds, after which the case is given up.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    limit: ClassVar[float]

    @property
    def suite(self) -> str: ...

    @property
    def id(self) -> str: ...

    def as_row(self) -> dict[str, Any]:
        """The columns that are known before it runs."""
        ...


@dataclass(frozen=True)
class Selection:
    """What the command line asks for; what is empty selects all.

    Attributes:
        suite: ``ops``, ``models``, ``pipelines``, ``all``; None for ops, or programs if ``model`` names some.
        op, size: of ops: patterns of overloads, ops and families; sizes.
        dtype: by torch's name.
        model, mode, scale: of programs: patterns of names; ``infer``, ``train``; ``small``, ``full``.
    """

    suite: str | None = None
    op: Sequence[str] | None = None
    size: Sequence[str] | None = None
    dtype: Sequence[str] | None = None
    model: Sequence[str] | None = None
    mode: Sequence[str] | None = None
    scale: str | None = None

    @property
    def title(self) -> str:
        """Of a file with the results."""
        names = self.suites()
        return "all" if names == tuple(SUITES) else "-".join(names)

    def suites(self) -> tuple[str, ...]:
        """Raises ValueError for a suite that does not exist, or options of another."""
        if self.suite is None:
            named = (("ops",) if self.op else ()) + (tuple(PROGRAM_SUITES) if self.model else ())
            return named or ("ops",)
        if self.suite not in {*SUITES, "all"}:
            raise ValueError(f"suite: must be of {', '.join(SUITES)}, all, got {self.suite}")
        chosen = tuple(SUITES) if self.suite == "all" else (self.suite,)
        if self.model and chosen == ("ops",):
            raise ValueError("model: the suite ops has none")
        if self.op and "ops" not in chosen:
            raise ValueError(f"op: the suite {self.suite} has none")
        return chosen


@dataclass(frozen=True)
class Suite:
    """Attributes: case is the class of its cases."""

    case: type
    select: Callable[[Selection], list[Any]]


def _ops(chosen: Selection) -> list[ops.Case]:
    return ops.select(list(chosen.op or ()), list(chosen.size or ()), list(chosen.dtype or ()))


def _programs(suite: str) -> Suite:
    def select(chosen: Selection) -> list[programs.ProgramCase]:
        found = programs.select(suite, chosen.model or (), chosen.mode or (), chosen.scale)
        return found if not chosen.dtype or programs.DTYPE in chosen.dtype else []

    return Suite(programs.ProgramCase, select)


SUITES = {"ops": Suite(ops.Case, _ops), **{name: _programs(name) for name in PROGRAM_SUITES}}


def select(chosen: Selection) -> list[Case]:
    """Suite by suite. Raises ValueError for what names nothing."""
    names = chosen.suites()
    programs.check_names(chosen.model or (), [name for name in names if name in PROGRAM_SUITES])
    return [case for name in names for case in SUITES[name].select(chosen)]


def dumped(case: Case) -> dict[str, Any]:
    return {"suite": case.suite, **asdict(case)}


def loaded(plain: dict[str, Any]) -> Case:
    kind = SUITES[plain["suite"]].case
    case: Case = kind(**{field.name: plain[field.name] for field in fields(kind)})
    return case
