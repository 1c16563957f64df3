"""The kernel of docs/writing-a-kernel.md fails as the guide says, and is right when mended as it says."""

import re
from pathlib import Path

import pytest
import torch

import mpsops

GUIDE = (Path(__file__).parent.parent / "docs" / "writing-a-kernel.md").read_text()
KERNEL, BARRIER = re.findall(r"```cpp\n(.*?)```", GUIDE, re.DOTALL)
PROGRAM = re.search(r"```python\n(.*?)```", GUIDE, re.DOTALL)

pytestmark = pytest.mark.skipif(mpsops._C.runtime != "sim", reason="the guide is about the simulator")


def run(folder: Path, kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "row_sum.metal").write_text(kernel)
    monkeypatch.chdir(folder)
    assert PROGRAM is not None
    exec(PROGRAM[1], {})


def quoted(error: Exception) -> bool:
    """Whether the guide shows the message, in whatever lines."""
    return " ".join(str(error).split()) in " ".join(GUIDE.split())


def test_the_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with mpsops.simulator.checked(False), pytest.raises(AssertionError, match="nan at index"):
        run(tmp_path, KERNEL, monkeypatch)
    with mpsops.simulator.checked(), pytest.raises(RuntimeError) as uninitialised:
        run(tmp_path, KERNEL, monkeypatch)
    assert quoted(uninitialised.value)
    with mpsops.simulator.schedule("reverse"):
        with mpsops.simulator.checked(False):
            run(tmp_path, KERNEL, monkeypatch)
        with mpsops.simulator.checked(races=True), pytest.raises(RuntimeError) as race:
            run(tmp_path, KERNEL, monkeypatch)
    assert quoted(race.value)


def test_the_mended_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = "  if (thread_index == 0)"
    mended = KERNEL.replace(place, BARRIER + place)
    for schedule in ("forward", "reverse", "random:7"):
        with mpsops.simulator.schedule(schedule), mpsops.simulator.checked(races=True):
            run(tmp_path, mended, monkeypatch)
    with mpsops.simulator.checked(False):
        run(tmp_path, mended, monkeypatch)
    torch.mps.synchronize()
