"""Every test runs on an `mps` device: a Mac's, or the simulator with every kernel access checked.

The tests that are made from registrations can run on an NVIDIA GPU too, with the build of that runtime.
"""

import os

os.environ.setdefault("MPSOPS_SIM_CHECK", "1")

import torch

import mpsops

if mpsops._C.runtime == "sim":
    import mpsops.simulator

    mpsops.simulator.install()
elif mpsops._C.runtime == "cuda":
    mpsops._C.set_ptx_folder(os.environ["MPSOPS_PTX"])
    for op in mpsops._C.ops():
        if op.exists:
            op.enable()

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "op(*names): names the registered overloads that a hand-written test exercises, for those that "
        "no OpInfo entry reaches",
    )


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
