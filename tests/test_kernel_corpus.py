"""Kernels of other projects compute what the CPU computes in float64, in every order of their threads."""

import importlib
import pkgutil

import corpus_cases
import pytest
from exec_support import SCHEDULES, schedule
from kernel_corpus import FAMILIES, Family, check, source

for module in pkgutil.iter_modules(corpus_cases.__path__):
    importlib.import_module(f"corpus_cases.{module.name}")


@pytest.mark.parametrize("order", SCHEDULES)
@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_results(family: Family, order: str) -> None:
    if family.fits not in source(family.collection, family.file).read_text():
        pytest.skip(f"{family.file} of this version has no {family.fits!r}")
    with schedule(order):
        for run in family.cases():
            check(family, run)


@pytest.mark.parametrize(
    ("collection", "file"), sorted({(family.collection, family.file) for family in FAMILIES})
)
def test_some_cases_fit(collection: str, file: str) -> None:
    """A file that changed must not drop out of the runs unseen."""
    text = source(collection, file).read_text()
    fitting = [family for family in FAMILIES if (family.collection, family.file) == (collection, file)]
    assert any(family.fits in text for family in fitting), f"no cases fit this version of {file}"
