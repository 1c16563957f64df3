"""All of torch.mps and torch.accelerator: what torch itself lists, called."""

import inspect
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType

import pytest
import torch

from mpsops import _C

if _C.runtime != "sim":
    pytest.skip("on a Mac this is torch's own", allow_module_level=True)

MODULES = [torch.mps, torch.mps.profiler, torch.accelerator]
# By the name of the parameter.
VALUES: dict[str, Callable[[], object]] = {
    "source": lambda: "kernel void f(device int* x) { x[0] = 1; }",
    "seed": lambda: 3,
    "new_state": torch.mps.get_rng_state,
    "fraction": lambda: 1.7,  # torch's own
    "fname": lambda: "trace.gputrace",
    "device": lambda: 0,
    "stream": torch.accelerator.current_stream,
}
# What a Mac refuses too, or has no meaning here: the first words of the error.
REFUSED = {
    "load_metallib": "mpsops.simulator: a .metallib holds code for Apple GPUs",
    "metal_capture": "mpsops.simulator: GPU traces exist on macOS only",
    "Graph": "Graph is not supported on device type: mps",
}
NAMES = [
    pytest.param(module, name, id=f"{module.__name__}.{name}")
    for module in MODULES
    for name in module.__all__
    if not inspect.ismodule(getattr(module, name))
]


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize(("module", "name"), NAMES)
def test_every_name_works(module: ModuleType, name: str) -> None:
    function = getattr(module, name)
    parameters = inspect.signature(function).parameters.values()
    arguments = [VALUES[p.name]() for p in parameters if p.default is p.empty]

    def call() -> None:
        result = function(*arguments)
        if isinstance(result, AbstractContextManager):
            with result:
                pass

    if name not in REFUSED:
        call()
        return
    with pytest.raises(RuntimeError) as caught:
        call()
    assert str(caught.value).startswith(REFUSED[name])


def test_nothing_of_torch_is_missing() -> None:
    """What the Python of torch's MPS ends in, in C++ that the CPU build of torch does not have."""
    folder = Path(torch.__file__).parent
    files = [*folder.glob("mps/*.py"), *folder.glob("accelerator/*.py"), folder / "backends/mps/__init__.py"]
    used = {name for file in files for name in re.findall(r"torch\._C\.(_\w+)", file.read_text())}
    assert "_mps_compileShader" in used
    assert [name for name in sorted(used) if not hasattr(torch._C, name)] == []


def test_signposts() -> None:
    profiler = torch.mps.profiler
    with profiler.profile("interval,event"):
        with pytest.raises(RuntimeError, match="Tracing Signposts is already enabled"):
            profiler.start()
        torch.zeros(2, device="mps")
    with pytest.raises(RuntimeError, match="Invalid Signpost trace mode: all"):
        profiler.start("all")
    profiler.start()
    profiler.stop()
    assert not profiler.is_metal_capture_enabled()
    assert not profiler.is_capturing_metal()
