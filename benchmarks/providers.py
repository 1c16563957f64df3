"""Who runs a call: the environment of the process, the device, and the ways to run it there."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

OURS = {"MPSOPS_AUTOPATCH": "1", "MPSOPS_CPU_PATH": "0", "PYTORCH_ENABLE_MPS_FALLBACK": "0"}
STOCK = {"MPSOPS_AUTOPATCH": "0", "MPSOPS_CPU_PATH": "0", "PYTORCH_ENABLE_MPS_FALLBACK": "0"}


@dataclass(frozen=True)
class Provider:
    """One way to run the calls, in a process of its own: the switches are read when it starts.

    Attributes:
        environment: what decides it.
        device: on which its calls run.
        contestants: the names of its rows; more than one are measured in turns.
        make_on: where inputs are made before they are moved to the device.
    """

    name: str
    device: str
    environment: dict[str, str]
    contestants: tuple[str, ...] = field(default=())
    make_on: str = "cpu"

    @property
    def rows(self) -> tuple[str, ...]:
        return self.contestants or (self.name,)

    def process_environment(self) -> dict[str, str]:
        simulator = {} if self.device != "mps" else {"MPSOPS_SIM_CHECK": "0"}
        return {**os.environ, **self.environment, **simulator}


PROVIDERS = {
    provider.name: provider
    for provider in (
        Provider("cpu", "cpu", STOCK),
        Provider("mps", "mps", STOCK),
        Provider("mps_fallback", "mps", {**STOCK, "PYTORCH_ENABLE_MPS_FALLBACK": "1"}),
        Provider("mpsops", "mps", OURS),
        Provider("nvidia", "cuda", STOCK, ("mpsops_cuda", "torch_cuda"), make_on="cuda"),
        # The same code as nvidia, where there is no such GPU: to try it, not to measure.
        Provider(
            "rehearsal", "mps", {**STOCK, "PYTORCH_ENABLE_MPS_FALLBACK": "1"}, ("mpsops", "mps_fallback")
        ),
    )
}


def registration(name: str) -> Any:
    from mpsops import _C

    return next(op for op in _C.ops() if op.name == name)


def ways(provider: Provider, name: str) -> dict[str, Callable[[], None]]:
    """What selects a contestant for an op: mpsops' kernel on the device's key, or what was there before."""
    if not provider.contestants:
        return {provider.name: lambda: None}
    op = registration(name)
    ours, theirs = provider.contestants
    return {ours: op.enable, theirs: op.disable}


def start(provider: Provider) -> bool:
    """Readies the process; whether the device is a simulated one."""
    import torch

    from mpsops import _C

    if provider.device == "cuda":
        if _C.runtime != "cuda":
            raise RuntimeError("nvidia: needs mpsops built with MPSOPS_CUDA, see .ci/cuda")
        _C.set_ptx_folder(os.environ.get("MPSOPS_PTX", "build/ptx"))
        return False
    if provider.device == "mps" and _C.runtime == "sim":
        from mpsops import simulator

        simulator.install()
        return True
    if provider.device == "mps" and not torch.backends.mps.is_available():
        raise RuntimeError(f"{provider.name}: this machine has no mps device")
    return False


@contextmanager
def counted_fallbacks(counts: list[int]) -> Iterator[None]:
    """Appends how many ops left the device inside: torch's fallback, or mpsops' CPU path."""
    import warnings

    import mpsops
    from mpsops import _C

    if _C.runtime == "sim":
        from mpsops import simulator

        before = simulator.fallback_count()
    mpsops.reset_counts()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    path = 0 if _C.runtime == "cuda" else sum(calls.calls for calls in mpsops.cpu_path_calls().values())
    if _C.runtime == "sim":
        counts.append(simulator.fallback_count() - before + path)
    else:
        counts.append(path + sum("fall back to run on the CPU" in str(each.message) for each in caught))
