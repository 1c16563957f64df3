"""One small kernel for each shape of control flow around a barrier, under every schedule."""

import pytest
import torch
from exec_support import SCHEDULES, compile_kernels, msl, schedule

SOURCE = """
#define ARGUMENTS (device int* out, constant int& n, uint i [[thread_position_in_threadgroup]], \\
                   uint size [[threads_per_threadgroup]])
#define BARRIER threadgroup_barrier(mem_flags::mem_threadgroup)

kernel void two_barriers ARGUMENTS {
  threadgroup int a[256];
  threadgroup int b[256];
  a[i] = i;
  BARRIER;
  b[i] = a[(i + 1) % size];
  BARRIER;
  out[i] = b[(i + 1) % size];
}
kernel void barrier_in_loop ARGUMENTS {
  threadgroup int a[256];
  int value = i;
  for (int k = 0; k < n; ++k) {
    a[i] = value;
    BARRIER;
    value = a[(i + 1) % size];
    BARRIER;
  }
  out[i] = value;
}
kernel void barrier_in_nested_loops ARGUMENTS {
  threadgroup int a[256];
  int value = i;
  for (int k = 0; k < 2; ++k) {
    for (int j = 0; j <= k; ++j) {
      a[i] = value;
      BARRIER;
      value = a[(i + 1) % size];
      BARRIER;
    }
  }
  out[i] = value;
}
kernel void barrier_in_uniform_branch ARGUMENTS {
  threadgroup int a[256];
  a[i] = i;
  if (n > 0) {
    BARRIER;
    out[i] = a[(i + 3) % size];
  } else {
    out[i] = -1;
  }
}
kernel void work_only_for_some_between_barriers ARGUMENTS {
  threadgroup int sum;
  if (i == 0) sum = 0;
  BARRIER;
  if (i == size - 1) {
    for (uint k = 0; k < size; ++k) sum += k;
  }
  BARRIER;
  out[i] = sum + i;
}
kernel void return_after_last_barrier ARGUMENTS {
  threadgroup int a[256];
  a[i] = i;
  BARRIER;
  if (i % 2) {
    out[i] = 0;
    return;
  }
  out[i] = a[size - 1 - i];
}
kernel void uniform_return_before_barrier ARGUMENTS {
  threadgroup int a[256];
  out[i] = 7;
  if (n == 0) return;
  a[i] = i;
  BARRIER;
  out[i] = a[(i + 1) % size];
}
inline int neighbour(threadgroup int* a, uint i, uint size) {
  threadgroup_barrier(mem_flags::mem_threadgroup);
  return a[(i + 1) % size];
}
kernel void barrier_in_function ARGUMENTS {
  threadgroup int a[256];
  a[i] = i;
  out[i] = neighbour(a, i, size);
}
struct Scan {
  int operator()(threadgroup int* a, uint i, uint size) const { return neighbour(a, i, size); }
};
template <typename Op>
kernel void barrier_in_functor ARGUMENTS {
  threadgroup int a[256];
  a[i] = i;
  out[i] = Op()(a, i, size);
}
template [[host_name("barrier_in_functor")]] [[kernel]] decltype(barrier_in_functor<Scan>) barrier_in_functor<Scan>;
kernel void tree_reduction ARGUMENTS {
  threadgroup int a[256];
  a[i] = i;
  BARRIER;
  for (uint step = size / 2; step > 0; step /= 2) {
    if (i < step) a[i] += a[i + step];
    BARRIER;
  }
  out[i] = a[0];
}
kernel void break_out_of_loop ARGUMENTS {
  threadgroup int a[256];
  int value = i;
  while (true) {
    a[i] = value;
    BARRIER;
    int total = a[0];
    BARRIER;
    if (total >= n) break;
    value += 1;
  }
  out[i] = value - int(i);
}
kernel void switch_on_uniform ARGUMENTS {
  threadgroup int a[256];
  a[i] = i;
  switch (n) {
    case 0: BARRIER; out[i] = a[0]; break;
    default: BARRIER; out[i] = a[size - 1];
  }
}
kernel void only_the_first_simdgroup_sums ARGUMENTS {
  threadgroup int a[32];
  int s = simd_sum(1);
  if (i % 32 == 0) a[i / 32] = s;
  BARRIER;
  if (i < 32) {
    s = simd_sum(i < (size + 31) / 32 ? a[i] : 0);
    if (i == 0) a[0] = s;
  }
  BARRIER;
  out[i] = a[0];
}
kernel void device_memory_through_barrier ARGUMENTS {
  out[i] = i;
  threadgroup_barrier(mem_flags::mem_device);
  int next = out[(i + 1) % size];
  threadgroup_barrier(mem_flags::mem_device);
  out[i] = next;
}
kernel void groups_do_not_share(device int* out, constant int& n, uint i [[thread_position_in_threadgroup]],
                                uint g [[threadgroup_position_in_grid]], uint size [[threads_per_threadgroup]]) {
  threadgroup int value[2];
  if (i == 0) value[1] = g;
  BARRIER;
  out[g * size + i] = value[1];
}
kernel void threadgroup_memory_starts_poisoned(device int* out, constant int& n,
                                               uint i [[thread_position_in_threadgroup]]) {
  threadgroup int a[256];
  threadgroup float f[256];
  int seen = a[i];
  bool nan = isnan(f[i]);
  BARRIER;
  a[i] = 5;
  f[i] = 5;
  out[i] = seen == -1 && nan;
}
kernel void threadgroup_arguments_start_poisoned(device int* out, threadgroup int* a,
                                                 uint i [[thread_position_in_threadgroup]],
                                                 uint g [[threadgroup_position_in_grid]],
                                                 uint size [[threads_per_threadgroup]]) {
  int seen = a[i];
  BARRIER;
  a[i] = 5;
  out[g * size + i] = seen;
}
kernel void declarations(device int* out, constant int& n, uint i [[thread_position_in_threadgroup]]) {
  threadgroup int a[4][64], b[64];
  threadgroup int last;
  threadgroup int* row = a[2];
  threadgroup int(&alias)[64] = b;
  threadgroup atomic_int counter;
  if (i == 0) { last = 11; atomic_store_explicit(&counter, 0, memory_order_relaxed); }
  row[i] = i;
  alias[i] = 2 * i;
  BARRIER;
  atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed);
  BARRIER;
  out[i] = a[2][i] + b[63 - i] + last + atomic_load_explicit(&counter, memory_order_relaxed);
}
kernel void early_exit_of_a_whole_group(device int* out, constant int& n, uint i [[thread_position_in_threadgroup]],
                                        uint g [[threadgroup_position_in_grid]],
                                        uint size [[threads_per_threadgroup]]) {
  if (g == 0) return;
  BARRIER;
  out[g * size + i] = 1;
}
"""


@pytest.fixture(scope="module", params=[False, True], ids=["fast", "checked"])
def kernels(request: pytest.FixtureRequest) -> msl.Library:
    return compile_kernels(SOURCE, "barriers.metal", checked=request.param)


def run(kernels: msl.Library, name: str, n: int, size: int, groups: int = 1) -> list[int]:
    out = torch.full((groups * size,), -9, dtype=torch.int32, device="mps")
    kernels[name](out, n, threadgroups=groups, group_size=size)
    return out.tolist()


SHAPES = {
    "two_barriers": lambda i, n, size: (i + 2) % size,
    "barrier_in_loop": lambda i, n, size: (i + n) % size,
    "barrier_in_nested_loops": lambda i, n, size: (i + 3) % size,
    "barrier_in_uniform_branch": lambda i, n, size: (i + 3) % size if n else -1,
    "work_only_for_some_between_barriers": lambda i, n, size: size * (size - 1) // 2 + i,
    "return_after_last_barrier": lambda i, n, size: 0 if i % 2 else size - 1 - i,
    "uniform_return_before_barrier": lambda i, n, size: (i + 1) % size if n else 7,
    "barrier_in_function": lambda i, n, size: (i + 1) % size,
    "barrier_in_functor": lambda i, n, size: (i + 1) % size,
    "tree_reduction": lambda i, n, size: size * (size - 1) // 2,
    "break_out_of_loop": lambda i, n, size: n,
    "switch_on_uniform": lambda i, n, size: size - 1 if n else 0,
    "only_the_first_simdgroup_sums": lambda i, n, size: size,
    "device_memory_through_barrier": lambda i, n, size: (i + 1) % size,
}


@pytest.mark.parametrize("order", SCHEDULES)
@pytest.mark.parametrize("name", SHAPES)
def test_control_flow(kernels: msl.Library, name: str, order: str) -> None:
    sizes = [64, 256] if name == "tree_reduction" else [1, 31, 32, 50, 64, 256]
    with schedule(order):
        for size in sizes:
            for n in (0, 3):
                got = run(kernels, name, n, size)
                assert got == [SHAPES[name](i, n, size) for i in range(size)], (size, n)


@pytest.mark.parametrize("order", SCHEDULES)
def test_groups_have_their_own_memory(kernels: msl.Library, order: str) -> None:
    with schedule(order):
        assert run(kernels, "groups_do_not_share", 0, 40, groups=50) == [
            g for g in range(50) for _ in range(40)
        ]


def test_threadgroup_memory_starts_poisoned() -> None:
    """Where loading it is no error, as in checked kernels."""
    kernels = compile_kernels(SOURCE, "barriers.metal", checked=False)
    assert run(kernels, "threadgroup_memory_starts_poisoned", 0, 64, groups=1) == [1] * 64
    out = torch.zeros(200, dtype=torch.int32, device="mps")
    kernel = kernels["threadgroup_arguments_start_poisoned"]
    kernel(out, msl.ThreadgroupMemory(160), threadgroups=5, group_size=40)
    assert out.tolist() == [-1] * 200


def test_threadgroup_declarations(kernels: msl.Library) -> None:
    assert run(kernels, "declarations", 0, 64) == [i + 2 * (63 - i) + 11 + 64 for i in range(64)]


def test_a_whole_group_may_leave_early(kernels: msl.Library) -> None:
    assert run(kernels, "early_exit_of_a_whole_group", 0, 40, groups=3) == [-9] * 40 + [1] * 80
