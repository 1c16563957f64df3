"""Kernels of other projects compute what the CPU computes in float64, in every order of their threads."""

import importlib

import pytest
from exec_support import SCHEDULES, schedule
from kernel_corpus import FAMILIES, Family, check, library

for name in ("torch_elementwise", "torch_normalisation", "mlx"):
    importlib.import_module(f"corpus_cases.{name}")


@pytest.mark.parametrize("order", SCHEDULES)
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: f"{family.collection}-{family.file}")
def test_results(family: Family, order: str) -> None:
    kernels = library(family.collection, family.file)
    with schedule(order):
        for run in family.cases():
            check(kernels, run)
