"""The first compile of a kernel source of about 100 lines on the simulator, goal under 2 s, and the second.

Run: ``MPSOPS_SIMULATOR=1 python -m benchmarks.jit_compile``. Time on the clock, and of the processor in this
process and in clang; on a busy machine the former says little. Each repetition begins with an empty cache.
"""

import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable

import torch

# A row softmax with its reductions written out, and a layer norm over torch's own headers.
SOURCE = """
#include <metal_stdlib>
#include <c10/metal/reduction_utils.h>
#include <c10/metal/special_math.h>
#include <c10/metal/utils.h>
using namespace metal;

constant constexpr uint kLanes = 32;

struct Rows {
  uint columns;
  uint row_stride;
  float scale;
  float epsilon;
};

template <class T>
inline float load(constant T* row, uint column) {
  return static_cast<float>(row[column]);
}

inline float group_max(float value, threadgroup float* shared, uint lane, uint simdgroup, uint simdgroups) {
  value = metal::simd_max(value);
  if (lane == 0) {
    shared[simdgroup] = value;
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  value = lane < simdgroups ? shared[lane] : -INFINITY;
  value = metal::simd_max(value);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  return value;
}

inline float group_sum(float value, threadgroup float* shared, uint lane, uint simdgroup, uint simdgroups) {
  value = metal::simd_sum(value);
  if (lane == 0) {
    shared[simdgroup] = value;
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  value = lane < simdgroups ? shared[lane] : 0.0f;
  value = metal::simd_sum(value);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  return value;
}

template <class T>
kernel void softmax(device T* out [[buffer(0)]], constant T* in [[buffer(1)]],
                    constant Rows& rows [[buffer(2)]],
                    uint row [[threadgroup_position_in_grid]],
                    uint thread_index [[thread_position_in_threadgroup]],
                    uint threads [[threads_per_threadgroup]],
                    uint lane [[thread_index_in_simdgroup]],
                    uint simdgroup [[simdgroup_index_in_threadgroup]],
                    uint simdgroups [[simdgroups_per_threadgroup]]) {
  threadgroup float shared[kLanes];
  constant T* source = in + row * rows.row_stride;
  device T* target = out + row * rows.row_stride;
  float largest = -INFINITY;
  for (uint i = thread_index; i < rows.columns; i += threads) {
    largest = max(largest, load(source, i) * rows.scale);
  }
  largest = group_max(largest, shared, lane, simdgroup, simdgroups);
  float total = 0.0f;
  for (uint i = thread_index; i < rows.columns; i += threads) {
    total += precise::exp(load(source, i) * rows.scale - largest);
  }
  total = group_sum(total, shared, lane, simdgroup, simdgroups);
  for (uint i = thread_index; i < rows.columns; i += threads) {
    target[i] = static_cast<T>(precise::exp(load(source, i) * rows.scale - largest) / total);
  }
}

template <class T>
kernel void layer_norm(device T* out [[buffer(0)]], constant T* in [[buffer(1)]],
                       constant Rows& rows [[buffer(2)]],
                       uint row [[threadgroup_position_in_grid]],
                       uint thread_index [[thread_position_in_threadgroup]],
                       uint threads [[threads_per_threadgroup]]) {
  threadgroup float shared[kLanes];
  float sum = 0.0f;
  for (uint i = thread_index; i < rows.columns; i += threads) {
    sum += load(in + row * rows.row_stride, i);
  }
  const float mean = c10::metal::threadgroup_sum(shared, sum, thread_index, threads) / rows.columns;
  float squares = 0.0f;
  for (uint i = thread_index; i < rows.columns; i += threads) {
    const float distance = load(in + row * rows.row_stride, i) - mean;
    squares += distance * distance;
  }
  const float variance = c10::metal::threadgroup_sum(shared, squares, thread_index, threads) / rows.columns;
  for (uint i = thread_index; i < rows.columns; i += threads) {
    const float x = (load(in + row * rows.row_stride, i) - mean) * rsqrt(variance + rows.epsilon);
    out[row * rows.row_stride + i] = static_cast<T>(x);
  }
}

#define INSTANTIATE(T) \\
  template [[host_name("softmax_" #T)]] kernel void softmax<T>( \\
      device T*, constant T*, constant Rows&, uint, uint, uint, uint, uint, uint); \\
  template [[host_name("layer_norm_" #T)]] kernel void layer_norm<T>( \\
      device T*, constant T*, constant Rows&, uint, uint, uint);

INSTANTIATE(float)
INSTANTIATE(half)
"""
REPETITIONS = 5


def processor_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measure(compile_once: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock, and of the processor."""
    clock, processor = time.perf_counter(), processor_seconds()
    compile_once()
    return time.perf_counter() - clock, processor_seconds() - processor


def main() -> None:
    times: dict[str, list[tuple[float, float]]] = {"first compile": [], "from the cache": []}
    for _ in range(REPETITIONS):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["MPSOPS_CACHE_DIR"] = folder
            for measured in times.values():
                measured.append(measure(lambda: torch.mps.compile_shader(SOURCE)))
    print(f"{SOURCE.count(chr(10))} lines, {REPETITIONS} repetitions, medians")
    for label, measured in times.items():
        clock, processor = (statistics.median(each) for each in zip(*measured, strict=True))
        print(f"{label}: {clock:.3f} s on the clock, {processor:.3f} s of the processor")


if __name__ == "__main__":
    main()
