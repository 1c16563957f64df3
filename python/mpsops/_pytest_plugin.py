"""The hooks of ``pytest -p mpsops.simulator``: the tests of any package, on the simulated device.

PYTEST_DONT_REWRITE: imported before pytest knows of it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from . import _C

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mpsops.simulator", "simulated mps device")
    group.addoption(
        "--mps-schedule",
        metavar="ORDER",
        help="order in which kernels' threads run, forward, reverse or random:SEED: nothing may depend on it",
    )
    group.addoption(
        "--mps-check",
        action="store_true",
        help="an error where a kernel leaves its buffers; much slower",
    )


def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Before any conftest.py, which may ask torch for its devices."""
    _start(early_config.known_args_namespace)


def pytest_configure(config: pytest.Config) -> None:
    """For `pytest_plugins` in a conftest.py, which comes too late for the hook above."""
    _start(config.option)


def pytest_report_header() -> str:
    return f"mps device: {'simulated' if _C.runtime == 'sim' else 'real, not simulated'}"


def _start(options: object) -> None:
    from .simulator import install

    if _C.runtime != "sim":
        return
    # In the environment too: for processes that the tests start, and for pytest-xdist's workers, where
    # conftest.py is loaded before this.
    os.environ["MPSOPS_SIMULATOR"] = "1"
    if order := getattr(options, "mps_schedule", None):
        _C.simulator_set_schedule(order)
        os.environ["MPSOPS_SIM_SCHEDULE"] = order
    if getattr(options, "mps_check", False):
        _C.simulator_set_checked(True)
        os.environ["MPSOPS_SIM_CHECK"] = "1"
    install()
