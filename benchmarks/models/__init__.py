"""Whole programs to run: the models of the first published MPS benchmarks, and kornia pipelines."""

from . import pipelines, text, vision
from .workload import Mode, ModelCase, Published, Scale, Workload

__all__ = ["CASES", "SUITES", "Mode", "ModelCase", "Published", "Scale", "Workload"]

SUITES = {"models": (*vision.CASES, *text.CASES), "pipelines": pipelines.CASES}
CASES = tuple(case for cases in SUITES.values() for case in cases)
