"""How a case is measured, by what it is: an op, or a program. The worker drives it, and writes the rows."""

from benchmarks.measuring import ops, programs
from benchmarks.measuring.bench import Bench, Measure, Result

__all__ = ["MEASURES", "Bench", "Measure", "Result"]

MEASURES: dict[str, Measure] = {
    "ops": ops.measure,
    "models": programs.measure,
    "pipelines": programs.measure,
}
