"""What a kernel does wrong is an error that names it, not a hang: each with a planted bug and a twin without."""

import pytest
import torch
from exec_support import compile_kernels, fails, msl, schedule

SOURCE = """
kernel void return_before_barrier(device float* out, constant bool& bug, uint i [[thread_position_in_threadgroup]]) {
  threadgroup float shared[64];
  shared[i] = i;
  if (bug && i >= 40) return;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = shared[63 - i];
}
kernel void barrier_in_branch(device float* out, constant bool& bug, uint i [[thread_position_in_threadgroup]]) {
  if (bug && i < 5) {
    threadgroup_barrier(mem_flags::mem_threadgroup);
  } else {
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  out[i] = i;
}
kernel void lanes_in_different_operations(device float* out, constant bool& bug, uint i [[thread_position_in_threadgroup]]) {
  float x = 1;
  if (bug && i % 2 == 0) {
    x = simd_sum(x);
  } else {
    x = simd_max(x);
  }
  out[i] = x;
}
kernel void one_lane_skips_an_operation(device float* out, constant bool& bug, uint i [[thread_position_in_threadgroup]]) {
  float x = 1;
  if (!(bug && i == 7)) {
    x = simd_sum(x);
  }
  out[i] = simd_sum(x);
}
kernel void loop_of_different_length(device float* out, constant bool& bug, uint i [[thread_position_in_threadgroup]]) {
  uint rounds = bug && i == 3 ? 1 : 2;
  for (uint k = 0; k < rounds; ++k) {
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  out[i] = i;
}
kernel void barrier_against_operation(device float* out, constant bool& bug, uint i [[thread_position_in_threadgroup]]) {
  float x = 0;
  if (bug && i < 32) {
    x = simd_sum(1.0f);
    return;
  }
  threadgroup_barrier(mem_flags::mem_none);
  out[i] = x;
}
kernel void too_much_threadgroup_memory(device float* out, uint i [[thread_position_in_threadgroup]]) {
  threadgroup float shared[8000];
  threadgroup float more[200];
  shared[i] = i;
  more[i] = i;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = shared[i] + more[i];
}
"""


@pytest.fixture(scope="module")
def kernels() -> msl.Library:
    return compile_kernels(SOURCE, "errors.metal")


def run(kernels: msl.Library, name: str, bug: bool, threads: int = 64) -> torch.Tensor:
    out = torch.zeros(threads, device="mps")
    kernels[name](out, bug, threadgroups=3, group_size=threads)
    return out.cpu()


BUGS = {
    "return_before_barrier": ("errors.metal:6 is never reached by all", "threads 0-39 wait there", "threads 40-63 have returned"),
    "barrier_in_branch": ("different barriers", "threads 0-4 at errors.metal:11", "threads 5-63 at errors.metal:13"),
    "lanes_in_different_operations": ("meet in different operations", "in simd_sum at errors.metal:20", "in simd_max at errors.metal:22"),
    "one_lane_skips_an_operation": ("meet in different operations", "threads 0-6, 8-31 in simd_sum at errors.metal:29", "threads 7 in simd_sum at errors.metal:31"),
    "loop_of_different_length": ("errors.metal:36 is never reached by all", "threads 3 have returned"),
    "barrier_against_operation": ("errors.metal:46 is never reached by all", "threads 32-63 wait there", "threads 0-31 have returned"),
}  # fmt: skip


@pytest.mark.parametrize("name", BUGS)
def test_planted_bug_is_reported(kernels: msl.Library, name: str) -> None:
    with fails(f"kernel '{name}'", "threadgroup (", *BUGS[name]):
        run(kernels, name, bug=True)


@pytest.mark.parametrize("order", ["reverse", "random:5"])
@pytest.mark.parametrize("name", BUGS)
def test_planted_bug_is_reported_under_every_schedule(kernels: msl.Library, name: str, order: str) -> None:
    with schedule(order), fails(f"kernel '{name}'", "errors.metal:"):
        run(kernels, name, bug=True)


@pytest.mark.parametrize("name", BUGS)
def test_clean_twin_runs(kernels: msl.Library, name: str) -> None:
    out = run(kernels, name, bug=False)
    assert out.isfinite().all()


def test_nothing_is_left_broken(kernels: msl.Library) -> None:
    expected = run(kernels, "return_before_barrier", bug=False)
    for name in BUGS:
        with fails(name):
            run(kernels, name, bug=True)
    assert torch.equal(run(kernels, "return_before_barrier", bug=False), expected)


def test_threadgroup_memory_over_the_limit(kernels: msl.Library) -> None:
    with fails(
        "too_much_threadgroup_memory", "at most 32768 bytes, got 32800 with 'more' at errors.metal:51"
    ):
        kernels["too_much_threadgroup_memory"](torch.zeros(64, device="mps"), threadgroups=1, group_size=64)


def test_wrong_arguments(kernels: msl.Library) -> None:
    kernel = kernels["return_before_barrier"]
    out = torch.zeros(64, device="mps")
    with fails("kernel return_before_barrier takes 2 buffers, got 1"):
        kernel(out, threadgroups=1, group_size=64)
    with fails("kernel return_before_barrier has no [[buffer(2)]]"):
        kernel(out, False, out, threadgroups=1, group_size=64)
    with fails("has no [[threadgroup(0)]]"):
        kernel(out, False, msl.ThreadgroupMemory(64), threadgroups=1, group_size=64)
    with pytest.raises(ValueError, match="at most 1024 threads, got 2048"):
        kernel(out, False, threadgroups=1, group_size=2048)
    with pytest.raises(ValueError, match="must not be empty"):
        kernel(out, False, threads=0)


def test_argument_smaller_than_the_struct() -> None:
    library = compile_kernels(
        "struct P { uint a; uint b; };\n"
        "kernel void f(device uint* out, constant P& p, uint i [[thread_position_in_grid]]) { out[i] = p.b; }\n",
        "small.metal",
    )
    with fails("buffer 1 'p' must have 8 bytes, got 4"):
        library["f"](torch.zeros(4, dtype=torch.int32, device="mps"), bytes(4), threads=4)
