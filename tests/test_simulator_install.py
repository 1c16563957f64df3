"""Switching the simulated device on: once, in time, and without a trace before."""

import os
import subprocess
import sys

import torch
from simulator_process import output, run

import mpsops.simulator


def test_import_alone_leaves_torch_without_mps() -> None:
    # MPSOPS_SIMULATOR unset: no hooks, no kernels, nothing on the MPS key.
    assert output("print(torch.backends.mps.is_available(), torch.backends.mps.is_built())") == "False False"
    assert output("print(torch._C._dispatch_has_kernel_for_dispatch_key('aten::view', 'MPS'))") == "False"


def test_install_is_idempotent() -> None:
    mpsops.simulator.install()
    mpsops.simulator.install()
    assert mpsops.simulator.is_installed()
    assert torch.ones(2, device="mps").sum().item() == 2


def test_environment_installs_on_import() -> None:
    program = "import mpsops, torch; print(torch.backends.mps.is_available())"
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"MPSOPS_SIMULATOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert result.stdout.strip() == "True"


def test_too_late_is_an_error() -> None:
    result = run("torch.backends.mps.is_available()\ninstall()")
    assert "RuntimeError: mpsops.simulator.install() must run before" in result.stderr


def test_real_device_is_not_replaced() -> None:
    result = run("torch._C._has_mps = True\ninstall()")
    assert "RuntimeError: mpsops.simulator.install: this PyTorch has a real MPS device" in result.stderr


def test_torch_sees_an_mps_build() -> None:
    assert torch.backends.mps.is_built()
    assert torch.backends.mps.is_available()
    assert torch.backends.mps.is_macos_or_newer(15, 0)
    assert torch.backends.mps.get_name() == "mpsops simulator"
    assert torch.backends.mps.get_core_count() >= 1
    assert torch.mps.is_available()
    assert torch.mps.device_count() == 1
    assert torch.accelerator.is_available()
    assert torch.accelerator.current_accelerator() == torch.device("mps")
    assert torch.accelerator.device_count() == 1
    assert torch.accelerator.current_device_index() == 0
    torch.accelerator.synchronize()
    assert torch.get_device_module("mps") is torch.mps


def test_stock_kernels_are_registered_one_by_one() -> None:
    has = torch._C._dispatch_has_kernel_for_dispatch_key
    with mpsops.patched(cpu_path=False):
        assert has("aten::add.Tensor", "MPS")
        assert has("aten::addmm", "MPS")
        assert not has("aten::ormqr", "MPS")
        assert not has("aten::geqrf", "MPS")
