"""Nothing fails: with mpsops on, all of PyTorch's OpInfo database runs on the simulated device.

Every sample of every entry, forward and backward, in each of the dtypes below that the entry has on the CPU:
no NotImplementedError but the CPU's own, and the CPU's results.
"""

import warnings
from collections.abc import Iterator

import pytest
import torch
from _pytest.mark.structures import ParameterSet
from opinfo_support import FLOAT64, assert_same, entry_name, evaluate, outcome, recorded, text
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.opinfo.core import OpInfo, SampleInput

import mpsops
import mpsops.simulator

pytestmark = pytest.mark.skipif(not mpsops.simulator.is_installed(), reason="describes the simulated device")

DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.complex64)
MODE = "which index of a repeated mode comes back is not defined on the CPU: see tests/test_mode.py"
DIFFERENT = {
    ("mode", torch.int64): MODE,
    ("mode", torch.bool): MODE,
    ("istft", torch.complex64): "torch leaves out the gradient of the window on the CPU, and has it on MPS",
}


def cases() -> Iterator[ParameterSet]:
    for op in op_db:
        for dtype in DTYPES:
            if op.supports_dtype(dtype, "cpu"):
                reason = DIFFERENT.get((op.name, dtype))
                marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
                yield pytest.param(op, dtype, id=f"{entry_name(op)}-{str(dtype)[6:]}", marks=marks)


@pytest.fixture(scope="module", autouse=True)
def _filled_memory() -> Iterator[None]:
    """empty() filled, so that it can be compared."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


def check(op: OpInfo, sample: SampleInput) -> None:
    cpu = outcome(lambda: evaluate(op, sample, "cpu"))
    mps = outcome(lambda: evaluate(op, sample, "mps"))
    if isinstance(mps, Exception):
        if isinstance(mps, TypeError) and text(mps).startswith(FLOAT64):
            assert recorded(op, sample).float64, "refused as float64, but the CPU makes no float64 tensor"
            return
        if not isinstance(cpu, Exception) or type(cpu) is not type(mps):
            raise mps
        assert text(mps).replace("mps:0", "cpu") == text(cpu)
        return
    assert_same(op, sample, mps, cpu)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("op", "dtype"), list(cases()))
def test_runs_as_on_the_cpu(op: OpInfo, dtype: torch.dtype) -> None:
    warnings.simplefilter("ignore")
    differentiable = op.supports_autograd and dtype in op.supported_backward_dtypes("cpu")
    for sample in op.sample_inputs("cpu", dtype, requires_grad=differentiable):
        check(op, sample)
