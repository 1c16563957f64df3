"""A kernel that does not end is an error with its line, not a test run that stands still."""

import os
import subprocess
import sys

import pytest
import torch
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from exec_support import HEADER, compile_kernels, fails, msl

from mpsops import _C
from mpsops.simulator import time_limit

SOURCE = """
kernel void empty_loop(device int* out, constant int& bug, uint i [[thread_position_in_grid]]) {
  out[i] = i;
  while (bug && out[0] == 0) {
  }
}
kernel void long_way_round(device int* out, constant int& bug, uint i [[thread_position_in_grid]]) {
  for (uint k = 0; k != 100; k += bug ? 8 : 1) {
    out[i] += k;
  }
}
kernel void waits_for_a_group(device atomic_int* out, constant int& bug, uint g [[threadgroup_position_in_grid]]) {
  while (bug && atomic_load_explicit(&out[g + 1], memory_order_relaxed) == 0) {
  }
  atomic_store_explicit(&out[g], 1, memory_order_relaxed);
}
kernel void waits_for_a_thread(device int* out, constant int& bug, uint i [[thread_position_in_threadgroup]]) {
  threadgroup atomic_int turn;
  if (i == 0) atomic_store_explicit(&turn, 0, memory_order_relaxed);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  while (bug && atomic_load_explicit(&turn, memory_order_relaxed) != int(31 - i)) {
  }
  atomic_store_explicit(&turn, 32 - i, memory_order_relaxed);
  out[i] = i;
}
kernel void barriers_without_end(device int* out, constant int& bug, uint i [[thread_position_in_threadgroup]]) {
  do {
    out[i] += 1;
    threadgroup_barrier(mem_flags::mem_device);
  } while (bug);
}
kernel void votes_without_end(device int* out, constant int& bug, uint i [[thread_position_in_threadgroup]]) {
  while (simd_any(bug == 1)) {
  }
  out[i] = i;
}
kernel void arithmetic(device int* out, constant int& bug, uint i [[thread_position_in_threadgroup]]) {
  float x = i;
  while (bug && x >= 0) {
    x = sin(x) * 0.5f + 1.0f;
  }
  out[i] = x;
}
"""

HANGS = {
    "empty_loop": (4, 4),
    "long_way_round": (8, 9),
    "waits_for_a_group": (13, 13),
    "waits_for_a_thread": (21, 21),
    "barriers_without_end": (27, 30),
    "votes_without_end": (33, 33),
    "arithmetic": (39, 40),
}


@pytest.fixture(scope="module")
def kernels() -> msl.Library:
    return compile_kernels(SOURCE, "hangs.metal")


@pytest.fixture(scope="module")
def fast() -> msl.Library:
    return compile_kernels(SOURCE, "hangs.metal", checked=False)


def run(kernels: msl.Library, name: str, bug: int) -> torch.Tensor:
    out = torch.zeros(64, dtype=torch.int32, device="mps")
    kernels[name](out, bug, threadgroups=2, group_size=32)
    return out


@pytest.mark.parametrize("name", HANGS)
def test_a_hang_is_reported_with_its_line(kernels: msl.Library, name: str) -> None:
    first, last = HANGS[name]
    with (
        time_limit(0.05),
        pytest.raises(RuntimeError, match=f"kernel '{name}', .*: no end after 0.05 s, at ") as caught,
    ):
        run(kernels, name, bug=1)
    text = str(caught.value).splitlines()[0]
    assert any(f"hangs.metal:{line}:" in text for line in range(first, last + 1)), text
    assert "thread (" in text
    assert "threadgroup (" in text
    assert "an endless loop, or a wait for a thread that only runs once this one ends" in text


def test_no_code_of_a_kernel_is_without_a_line(kernels: msl.Library) -> None:
    # Where a kernel calls the math library, the linker's stubs would be code of nobody's.
    with open(kernels.path, "rb") as file:
        code = [
            each.name for each in ELFFile(file).iter_sections() if each["sh_flags"] & SH_FLAGS.SHF_EXECINSTR
        ]
    assert code == [".text", "mpsops_hooks"]


@pytest.mark.parametrize("name", HANGS)
def test_clean_twin_ends(kernels: msl.Library, name: str) -> None:
    with time_limit(5):
        run(kernels, name, bug=0)


@pytest.mark.parametrize("name", ["waits_for_a_group", "waits_for_a_thread", "barriers_without_end"])
def test_unchecked_kernels_stop_too_but_have_no_lines(fast: msl.Library, name: str) -> None:
    with time_limit(0.05), fails(f"kernel '{name}'", "no end after 0.05 s"):
        run(fast, name, bug=1)


def test_work_goes_on_behind_a_hang(kernels: msl.Library) -> None:
    expected = run(kernels, "long_way_round", bug=0)
    for name in ("empty_loop", "votes_without_end"):
        with time_limit(0.05), fails("no end after"):
            run(kernels, name, bug=1)
    assert torch.equal(run(kernels, "long_way_round", bug=0), expected)


def test_many_threads_are_no_hang(kernels: msl.Library) -> None:
    """The limit is for one thread or group, not for the dispatch."""
    out = torch.zeros(1 << 16, dtype=torch.int32, device="mps")
    with time_limit(0.05):
        kernels["long_way_round"](out, 0, threads=1 << 16)


def test_setting() -> None:
    assert _C.simulator_time_limit() is None
    with time_limit(2.5):
        assert _C.simulator_time_limit() == 2.5
        with time_limit(None):
            assert _C.simulator_time_limit() is None
    with pytest.raises(ValueError, match="seconds must be 0 or more, got -1"), time_limit(-1):
        pass


PROGRAM = f"""
import mpsops.simulator
mpsops.simulator.install()
import torch
from mpsops import msl
source = '''{HEADER}
kernel void spin(device int* out) {{ while (out[0] == 0) {{ }} }}
'''
library = msl.compile(source, checked=True)
try:
    library["spin"](torch.zeros(1, dtype=torch.int32, device="mps"), threads=1)
except RuntimeError as error:
    print(str(error).splitlines()[0])
"""


@pytest.mark.parametrize(
    ("limit", "said"), [("0.05", "no end after 0.05 s"), ("soon", "must be a number of seconds, got soon")]
)
def test_environment(limit: str, said: str) -> None:
    environment = {**os.environ, "MPSOPS_SIM_TIMEOUT": limit}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False
    )
    assert said in done.stdout + done.stderr
