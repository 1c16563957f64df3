"""Whole programs to run: the models of the first published MPS benchmarks, and kornia pipelines."""

from . import pipelines, text, vision
from .workload import ModelCase, Published, Workload

__all__ = ["CASES", "ModelCase", "Published", "Workload"]

CASES = (*vision.CASES, *text.CASES, *pipelines.CASES)
