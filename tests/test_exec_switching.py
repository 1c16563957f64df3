"""Libraries without checks switch threads in the kernel itself: what must survive that, and be noticed."""

import pytest
import torch
from exec_support import SCHEDULES, compile_kernels, fails, msl, schedule

SOURCE = """
constant int kLive = 24;
// More values alive over each wait than the processor has registers, of both kinds.
kernel void alive(device float* out, device const float* in, uint i [[thread_position_in_grid]]) {
  float values[kLive];
  ulong numbers[kLive];
  for (int k = 0; k < kLive; ++k) {
    values[k] = in[i] + float(k);
    numbers[k] = ulong(i) * 3 + k;
  }
  threadgroup_barrier(mem_flags::mem_none);
  float sum = simd_sum(1.0f);
  threadgroup_barrier(mem_flags::mem_none);
  for (int k = 0; k < kLive; ++k) {
    sum += values[k] * float(numbers[k] % 7);
  }
  out[i] = sum;
}
// Simdgroups go different ways and meet again; some lanes return and the rest go on.
kernel void parted(device uint* out, uint i [[thread_position_in_grid]], uint t [[thread_index_in_threadgroup]],
                   uint lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup uint counts[32];
  uint count = 0;
  for (uint round = 0; round <= simdgroup; ++round) {
    count += simd_sum(1u);
  }
  const uint total = simd_max(count);
  if (lane == 0) counts[simdgroup] = total;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (t % 3 == 0) return;
  out[i] = counts[simdgroup] + simd_sum(1u);
}
kernel void many_variables(device int* out, uint i [[thread_position_in_threadgroup]]) {
  threadgroup int a[64]; threadgroup int b[64]; threadgroup int c[64]; threadgroup int d[64];
  threadgroup int e[64]; threadgroup int f[64]; threadgroup int g[64]; threadgroup int h[64];
  threadgroup int j[64]; threadgroup int k[64];
  a[i] = i; b[i] = a[i] + 1; c[i] = b[i] + 1; d[i] = c[i] + 1; e[i] = d[i] + 1;
  f[i] = e[i] + 1; g[i] = f[i] + 1; h[i] = g[i] + 1; j[i] = h[i] + 1; k[i] = j[i] + 1;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = k[63 - i] + a[i];
}
// The first lane gives its next, longer value before the last has fetched its result.
kernel void longer(device float* out, device const float* in, uint i [[thread_position_in_grid]],
                   ushort lane [[thread_index_in_simdgroup]]) {
  const float running = simd_prefix_inclusive_sum(in[i]);
  const float4 theirs = simd_shuffle_xor(float4(running, 1, 2, float(lane)), ushort(1));
  const bool odd = simd_is_first();
  const half2 last = simd_shuffle_down(half2(theirs.xw), ushort(1));
  out[i] = running + 1000 * theirs.x + theirs.y + theirs.z + theirs.w + float(last.y) * 0.5f + float(odd);
}
kernel void half_waits(uint i [[thread_position_in_threadgroup]]) {
  if (i < 40) threadgroup_barrier(mem_flags::mem_none);
}
kernel void different(uint i [[thread_position_in_threadgroup]]) {
  if (i < 16) { (void)simd_sum(i); } else { (void)simd_max(i); }
}
"""


@pytest.fixture(scope="module")
def kernels() -> msl.Library:
    return compile_kernels(SOURCE, "switching.metal", checked=False)


@pytest.mark.parametrize("order", SCHEDULES)
def test_values_survive(kernels: msl.Library, order: str) -> None:
    x = torch.arange(1000, dtype=torch.float32) % 13
    out = torch.zeros(1000)
    with schedule(order):
        kernels["alive"](out, x, threads=1000, group_size=320)
    k = torch.arange(24)
    lanes = torch.full((1000,), 32.0)
    lanes[992:] = 8  # the last group has 40 threads
    numbers = (torch.arange(1000)[:, None] * 3 + k) % 7
    assert torch.equal(out, lanes + ((x[:, None] + k) * numbers).sum(1))


@pytest.mark.parametrize("order", SCHEDULES)
def test_ways_part(kernels: msl.Library, order: str) -> None:
    out = torch.zeros(3 * 256, dtype=torch.int32)
    with schedule(order):
        kernels["parted"](out, threadgroups=3, group_size=256)
    t = torch.arange(256)
    left = (t % 3 != 0).view(-1, 32).sum(1).repeat_interleave(32)
    wanted = torch.where(t % 3 == 0, 0, (t // 32 + 1) * 32 + left).int()
    assert torch.equal(out, wanted.repeat(3))


@pytest.mark.parametrize("order", SCHEDULES)
def test_values_of_any_length_follow_each_other(kernels: msl.Library, order: str) -> None:
    x = torch.arange(64, dtype=torch.float32) % 5
    out = torch.zeros(64)
    with schedule(order):
        kernels["longer"](out, x, threads=64, group_size=64)
    running = x.view(2, 32).cumsum(1)
    lane = torch.arange(32)
    last = lane[(lane + 1).clamp(max=31)] ^ 1
    wanted = running + 1000 * running[:, lane ^ 1] + 3 + (lane ^ 1) + last * 0.5 + (lane == 0)
    assert torch.equal(out, wanted.flatten())


def test_more_variables_than_are_known(kernels: msl.Library) -> None:
    out = torch.zeros(64, dtype=torch.int32)
    kernels["many_variables"](out, threadgroups=1, group_size=64)
    assert torch.equal(out, torch.full((64,), 63 + 9, dtype=torch.int32))


@pytest.mark.parametrize("order", SCHEDULES)
def test_errors(kernels: msl.Library, order: str) -> None:
    with schedule(order):
        with fails(
            "half_waits", "threads 0-39 wait there, threads 40-63 have returned", "switching.metal:52"
        ):
            kernels["half_waits"](threadgroups=1, group_size=64)
        with fails("different", "threads 0-15 in simd_sum", "threads 16-31 in simd_max"):
            kernels["different"](threadgroups=1, group_size=32)
