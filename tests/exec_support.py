"""For the tests of kernel execution: compiled sources, schedules, errors in one line."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import mpsops
from mpsops import _C

if _C.runtime != "sim":
    pytest.skip("the simulator runs kernels here; on a Mac the GPU does", allow_module_level=True)

from mpsops import msl
from mpsops.simulator import schedule

HEADER = "#include <metal_stdlib>\nusing namespace metal;\n"
SCHEDULES = ["forward", "reverse", "random:1", "random:2"]


def compile_kernels(source: str, name: str, checked: bool = True) -> msl.Library:
    """One library of many small kernels; the line numbers are those of `source`."""
    return msl.compile(HEADER + f'#line 1 "{name}"\n' + source, name=name, checked=checked)


@contextmanager
def fails(*fragments: str) -> Iterator[None]:
    """The block raises a RuntimeError whose first line has all `fragments`."""
    with pytest.raises(RuntimeError) as caught:
        yield
    first = str(caught.value).splitlines()[0]
    for fragment in fragments:
        assert fragment in first, first


__all__ = ["HEADER", "SCHEDULES", "compile_kernels", "fails", "mpsops", "msl", "schedule"]
