"""Stock torch on the simulated device, over all of PyTorch's OpInfo database.

Without mpsops' kernels, every sample either agrees with the CPU, forward and backward, or fails as it
fails on a Mac. What may fail follows from torch's own table of MPS kernels and from what the CPU does
with the same sample; the few texts of stock kernels that refuse some inputs are in REFUSALS.
"""

import pathlib
import re
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import yaml
from opinfo_support import FLOAT64, assert_same, entry_name, evaluate, outcome, recorded, text
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.opinfo.core import OpInfo, SampleInput

import mpsops
import mpsops.simulator

pytestmark = pytest.mark.skipif(not mpsops.simulator.is_installed(), reason="describes the simulated device")

NO_KERNEL = re.compile(
    r"^The operator '(?:aten::)?([^']+)' is not currently implemented for the MPS device\."
)

# Stock code that takes some inputs only: entries of the database, and what torch says.
REFUSALS = {
    r"nn\.functional\.(adaptive_avg_pool[12]d|adaptive_max_pool2d|interpolate_area)": r"Adaptive pool MPS: ",
    # torch makes no compressed sparse tensors on MPS.
    r"sparse\.(mm_reduce|sampled_addmm)": r"Could not run 'new_compressed_tensor' from the 'mps:0' device",
}

ENTRIES = [op for op in op_db if op.supports_dtype(torch.float32, "cpu")]


@pytest.fixture(scope="module")
def native() -> set[str]:
    """The overloads that torch's yaml puts on MPS, read here independently of the build."""
    site = pathlib.Path(torch.__file__).parent.parent
    text = (site / "torchgen/packaged/ATen/native/native_functions.yaml").read_text()
    entries = {entry["func"].split("(")[0]: entry for entry in yaml.load(text, Loader=yaml.CSafeLoader)}

    def keys(entry: dict[str, Any]) -> set[str]:
        own = {key.strip() for keys in entry.get("dispatch", {}) for key in keys.split(",")}
        return own | keys_of(entry["structured_delegate"]) if "structured_delegate" in entry else own

    def keys_of(name: str) -> set[str]:
        return keys(entries[name])

    return {name for name in entries if "MPS" in keys_of(name)}


@pytest.fixture(scope="module", autouse=True)
def _stock_torch() -> Iterator[None]:
    """mpsops' own kernels off, and empty() filled so that it can be compared."""
    mpsops.disable()
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)
    mpsops.enable()


def check_failure(op: OpInfo, sample: SampleInput, error: Exception, cpu: Any, native: set[str]) -> None:
    """Raises unless a Mac fails with this error, too."""
    missing = NO_KERNEL.match(text(error))
    if missing and isinstance(error, NotImplementedError):
        assert missing[1] not in native, f"torch has {missing[1]} on MPS"
        return
    if isinstance(error, TypeError) and text(error).startswith(FLOAT64):
        assert recorded(op, sample).float64, "refused as float64, but the CPU makes no float64 tensor"
        return
    for entry, refusal in REFUSALS.items():
        if re.fullmatch(entry, entry_name(op)) and re.match(refusal, text(error)):
            return
    if isinstance(cpu, Exception) and type(cpu) is type(error):
        assert text(error).replace("mps:0", "cpu") == text(cpu)
        return
    raise error


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("op", ENTRIES, ids=entry_name)
def test_agrees_with_cpu_or_fails_as_on_a_mac(op: OpInfo, native: set[str]) -> None:
    warnings.simplefilter("ignore")
    samples = op.sample_inputs("cpu", torch.float32, requires_grad=op.supports_autograd)
    for sample in samples:
        cpu = outcome(lambda: evaluate(op, sample, "cpu"))  # noqa: B023
        mps = outcome(lambda: evaluate(op, sample, "mps"))  # noqa: B023
        if isinstance(mps, Exception):
            check_failure(op, sample, mps, cpu, native)
            continue
        assert_same(op, sample, mps, cpu)
