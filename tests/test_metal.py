"""On a Mac only: Apple's compiler takes every family, and the runtime's errors are what they promise."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mpsops import _C

pytestmark = pytest.mark.skipif(_C.runtime != "metal", reason="needs an Apple GPU")

ROOT = Path(__file__).parent.parent
FAMILIES = sorted(path.stem for path in (ROOT / "metal").glob("*.metal"))


@pytest.mark.parametrize("family", FAMILIES)
def test_family_compiles_with_all_its_dtypes(family: str) -> None:
    names = _C.metal.kernels(family)
    assert names
    text = (ROOT / f"metal/{family}.metal").read_text()
    # INSTANTIATE_BFLOAT rows are there too: the library was not compiled without bfloat16.
    if re.search(r"^INSTANTIATE_(BFLOAT|FLOATING|ALL)\(", text, re.MULTILINE):
        assert any("bfloat16" in name for name in names)


def test_families_compile_from_several_threads() -> None:
    with ThreadPoolExecutor(4) as pool:
        compiled = list(pool.map(_C.metal.kernels, FAMILIES * 2))
    assert compiled[: len(FAMILIES)] == compiled[len(FAMILIES) :]


def test_unknown_family() -> None:
    with pytest.raises(RuntimeError, match=r"kernel family must be one of metal/\*\.metal, got nonsense"):
        _C.metal.kernels("nonsense")
