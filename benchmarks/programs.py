"""The grid of models and pipelines: each in its modes and batches, full or small."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any, ClassVar, get_args

import mpsops
from benchmarks.models import SUITES, Mode, ModelCase, Scale

DTYPE = "float32"
SMALL_BATCH = 4


@dataclass(frozen=True)
class ProgramCase:
    """One row of a run, but for the provider.

    Attributes:
        name: of the model or pipeline.
        mode: ``infer``, or ``train``: forward, backward and a step of the optimizer.
        batch: that is asked for; where memory is short, half of it is measured, and so on.
        scale: ``full``, or ``small``: fewer pixels or layers, for the simulator.
    """

    limit: ClassVar[float] = 600.0

    name: str
    mode: Mode
    batch: int
    scale: Scale

    @property
    def model(self) -> ModelCase:
        return next(model for models in SUITES.values() for model in models if model.name == self.name)

    @property
    def suite(self) -> str:
        return next(suite for suite, models in SUITES.items() if self.model in models)

    @property
    def id(self) -> str:
        return f"{self.name}-{self.mode}-b{self.batch}-{self.scale}"

    def as_row(self) -> dict[str, Any]:
        return {
            "suite": self.suite,
            "case": self.id,
            "name": self.name,
            "pass": self.mode,
            "dtype": DTYPE,
            "scale": self.scale,
            "scaled": None,
            "batch_wanted": self.batch,
            "batch": None,
        }


def default_scale() -> Scale:
    """Small where the device is simulated."""
    return "small" if mpsops._C.runtime == "sim" else "full"


def _batches(model: ModelCase, mode: Mode, scale: Scale) -> list[int]:
    full = model.infer_batches if mode == "infer" else model.train_batches
    return list(full) if scale == "full" else sorted({min(batch, SMALL_BATCH) for batch in full})


def _named(model: ModelCase, pattern: str) -> bool:
    return fnmatch(model.name.lower(), pattern.lower())


def check_names(patterns: Sequence[str], suites: Sequence[str]) -> None:
    """Raises ValueError for a pattern that names nothing in these suites."""
    models = [model for suite in suites for model in SUITES[suite]]
    for pattern in patterns:
        if not any(_named(model, pattern) for model in models):
            raise ValueError(f"model: must name a model or a pipeline, got {pattern!r}")


def select(
    suite: str, names: Sequence[str] = (), modes: Sequence[str] = (), scale: str | None = None
) -> list[ProgramCase]:
    """Of the patterns (with ``*``, in any case of letters); all of a suite without them.

    Raises ValueError for a mode or scale that does not exist.
    """
    if unknown := set(modes) - set(get_args(Mode)):
        raise ValueError(f"mode: must be of {', '.join(get_args(Mode))}, got {', '.join(sorted(unknown))}")
    wanted = next((each for each in get_args(Scale) if each == scale), None)
    if scale is not None and wanted is None:
        raise ValueError(f"scale: must be of {', '.join(get_args(Scale))}, got {scale}")
    chosen: Scale = wanted or default_scale()
    return [
        ProgramCase(model.name, mode, batch, chosen)
        for model in SUITES[suite]
        if not names or any(_named(model, pattern) for pattern in names)
        for mode in get_args(Mode)
        if not modes or mode in modes
        for batch in _batches(model, mode, chosen)
    ]
