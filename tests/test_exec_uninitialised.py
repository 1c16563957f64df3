"""A load of threadgroup memory to which the group has not stored is an error in checked kernels."""

import pytest
import torch
from exec_support import SCHEDULES, compile_kernels, fails, msl, schedule

SOURCE = """
#define BARRIER threadgroup_barrier(mem_flags::mem_threadgroup)
#define ARGUMENTS (device float* out, constant int& bug, uint i [[thread_position_in_threadgroup]])
kernel void sum_of_too_many ARGUMENTS {
  threadgroup float partial[32];
  if (!bug || i < 20) partial[i] = i;
  BARRIER;
  float sum = 0;
  for (uint k = 0; k < 32; ++k) {
    sum += partial[k];
  }
  out[i] = sum;
}
kernel void argument(device float* out, constant int& bug, threadgroup float* memory [[threadgroup(0)]],
                     uint i [[thread_position_in_threadgroup]]) {
  memory[i] = i;
  BARRIER;
  out[i] = memory[i + bug];
}
kernel void of_the_group_before(device float* out, constant int& bug, uint i [[thread_position_in_threadgroup]],
                                uint g [[threadgroup_position_in_grid]]) {
  threadgroup float value;
  if (i == 0 && (!bug || g == 0)) value = g;
  BARRIER;
  out[g * 32 + i] = value;
}
kernel void counter ARGUMENTS {
  threadgroup atomic_int count;
  if (!bug && i == 0) atomic_store_explicit(&count, 0, memory_order_relaxed);
  BARRIER;
  atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
  BARRIER;
  out[i] = atomic_load_explicit(&count, memory_order_relaxed);
}
struct Padded { uchar a; float b; uchar c; };
kernel void copies_with_padding ARGUMENTS {
  threadgroup Padded rows[32];
  rows[i].a = 1;
  if (!bug) rows[i].b = 2;
  rows[i].c = 3;
  BARRIER;
  Padded row = rows[31 - i];
  out[i] = row.a + row.b + row.c;
}
kernel void three_components ARGUMENTS {
  threadgroup float3 points[32];
  if (!bug || i % 2 == 0) {
    points[i].x = 1, points[i].y = 2, points[i].z = 3;
  }
  BARRIER;
  float3 point = points[31 - i];
  out[i] = dot(point, float3(1, 1, 1));
}
kernel void two_components_at_once ARGUMENTS {
  threadgroup float4 points[32];
  points[i].xy = float2(1, 2);
  if (!bug) points[i].zw = float2(3, 4);
  BARRIER;
  out[i] = points[31 - i].z;
}
kernel void added_to_nothing ARGUMENTS {
  threadgroup int4 sums[32];
  if (!bug) sums[i] = int4(0);
  sums[i] += int4(i);
  BARRIER;
  out[i] = sums[31 - i].y;
}
kernel void bytes ARGUMENTS {
  threadgroup uchar text[64];
  if (!bug || i != 5) text[i] = i;
  text[i + 32] = i;
  BARRIER;
  out[i] = reinterpret_cast<threadgroup uint*>(text)[i % 8];
}
"""

BUGS = {
    "sum_of_too_many": "load of 4 bytes at byte 80 of threadgroup variable 'partial', at uninitialised.metal:10: "
    "no thread of the group has stored to it",
    "argument": "at byte 128 of threadgroup variable 'memory'",
    "of_the_group_before": "of threadgroup (1, 0, 0): load of 4 bytes at byte 0 of threadgroup variable 'value', "
    "at uninitialised.metal:25",
    "counter": "load of 4 bytes at byte 0 of threadgroup variable 'count', at uninitialised.metal:31",
    "copies_with_padding": "of threadgroup variable 'rows', at uninitialised.metal:42",
    "three_components": "load of 16 bytes at byte 496 of threadgroup variable 'points', at uninitialised.metal:51: "
    "no thread of the group has stored to it before (is a barrier missing?)",
    "two_components_at_once": "load of 4 bytes at byte 504 of threadgroup variable 'points', at uninitialised.metal:59",
    "added_to_nothing": "load of 16 bytes at byte 0 of threadgroup variable 'sums', at uninitialised.metal:64",
    "bytes": "load of 4 bytes at byte 4 of threadgroup variable 'text', at uninitialised.metal:73: "
    "no thread of the group has stored to byte 5",
}


@pytest.fixture(scope="module")
def kernels() -> msl.Library:
    return compile_kernels(SOURCE, "uninitialised.metal")


def run(kernels: msl.Library, name: str, bug: int) -> None:
    memory = [msl.ThreadgroupMemory(132)] if name == "argument" else []
    kernels[name](torch.zeros(64, device="mps"), bug, *memory, threadgroups=2, group_size=32)


@pytest.mark.parametrize("name", BUGS)
def test_planted_bug_is_reported(kernels: msl.Library, name: str) -> None:
    with fails(f"kernel '{name}', thread (", BUGS[name]):
        run(kernels, name, bug=1)


@pytest.mark.parametrize("order", SCHEDULES)
@pytest.mark.parametrize("name", BUGS)
def test_clean_twin_runs(kernels: msl.Library, name: str, order: str) -> None:
    with schedule(order):
        run(kernels, name, bug=0)
