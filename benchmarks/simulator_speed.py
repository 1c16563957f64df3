"""Kernels on the simulator against the same op in torch's CPU kernels, in one process.

    python -m benchmarks.simulator_speed [--threads 1] [--repeats 9] [ONLY ...]

All of 2^24 float32. Each repeat runs both, one after the other, so that a busy machine slows both. Printed
are the least times, the median of the repeats' ratios, and the ratio of processor time, which other processes
sway less. Times are those of this machine's CPU and memory, not of a Mac's. ``--threads`` are torch's: the
simulator's kernels run on one.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

os.environ["MPSOPS_SIM_CHECK"] = "0"
os.environ["MPSOPS_SIM_SCHEDULE"] = "forward"

import torch
from rich.console import Console
from rich.table import Table

import mpsops.simulator
from mpsops import msl
from mpsops.msl._library import Argument

COUNT = 1 << 24
COLUMNS = 4096
ROWS = COUNT // COLUMNS

SOURCE = """
#include <metal_stdlib>
using namespace metal;

kernel void copy(device float* y, device const float* x, uint i [[thread_position_in_grid]]) { y[i] = x[i]; }
kernel void add(device float* z, device const float* x, device const float* y,
                uint i [[thread_position_in_grid]]) {
  z[i] = x[i] + y[i];
}
kernel void add_bounded(device float* z, device const float* x, device const float* y, constant uint& n,
                        uint i [[thread_position_in_grid]]) {
  if (i >= n) return;
  z[i] = x[i] + y[i];
}
kernel void add_vectors(device float4* z, device const float4* x, device const float4* y,
                        uint i [[thread_position_in_grid]]) {
  z[i] = x[i] + y[i];
}
kernel void add_groups(device float* z, device const float* x, device const float* y,
                       uint group [[threadgroup_position_in_grid]], uint i [[thread_index_in_threadgroup]],
                       uint size [[threads_per_threadgroup]]) {
  const uint at = group * size + i;
  z[at] = x[at] + y[at];
}
kernel void relu(device float* y, device const float* x, uint i [[thread_position_in_grid]]) {
  y[i] = max(x[i], 0.0f);
}
kernel void exponential(device float* y, device const float* x, uint i [[thread_position_in_grid]]) {
  y[i] = exp(x[i]);
}
kernel void gelu(device float* y, device const float* x, uint i [[thread_position_in_grid]]) {
  const float v = x[i];
  y[i] = 0.5f * v * (1.0f + precise::tanh(0.7978845608f * (v + 0.044715f * v * v * v)));
}
kernel void silu(device float* y, device const float* x, uint i [[thread_position_in_grid]]) {
  y[i] = x[i] / (1.0f + exp(-x[i]));
}
kernel void add_half(device half* z, device const half* x, device const half* y,
                     uint i [[thread_position_in_grid]]) {
  z[i] = x[i] + y[i];
}
kernel void transpose(device float* y, device const float* x, constant uint2& size,
                      uint2 at [[thread_position_in_grid]]) {
  y[at.y * size.x + at.x] = x[at.x * size.y + at.y];
}
kernel void strided(device float* y, device const float* x, constant uint& columns, constant long2& strides,
                    uint i [[thread_position_in_grid]]) {
  y[i] = x[i / columns * strides.x + i % columns * strides.y];
}

// One element to a thread: a barrier and two simdgroup functions for each.
kernel void sum_of_groups(device float* y, device const float* x, uint i [[thread_position_in_grid]],
                          uint group [[threadgroup_position_in_grid]],
                          uint lane [[thread_index_in_simdgroup]],
                          uint simdgroup [[simdgroup_index_in_threadgroup]],
                          uint simdgroups [[simdgroups_per_threadgroup]]) {
  threadgroup float partial[32];
  const float sum = simd_sum(x[i]);
  if (lane == 0) partial[simdgroup] = sum;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (simdgroup == 0) {
    const float total = simd_sum(lane < simdgroups ? partial[lane] : 0.0f);
    if (lane == 0) y[group] = total;
  }
}
template <class Op>
float reduce(float value, threadgroup float* partial, uint lane, uint simdgroup, uint simdgroups) {
  value = Op::lanes(value);
  if (lane == 0) partial[simdgroup] = value;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  value = Op::lanes(lane < simdgroups ? partial[lane] : Op::identity());
  threadgroup_barrier(mem_flags::mem_threadgroup);
  return value;
}
struct Sum {
  static float identity() { return 0.0f; }
  static float lanes(float value) { return simd_sum(value); }
};
struct Max {
  static float identity() { return -INFINITY; }
  static float lanes(float value) { return simd_max(value); }
};
// A row to a group.
kernel void sum_of_rows(device float* y, device const float* x, constant uint& columns,
                        uint row [[threadgroup_position_in_grid]], uint i [[thread_index_in_threadgroup]],
                        uint size [[threads_per_threadgroup]], uint lane [[thread_index_in_simdgroup]],
                        uint simdgroup [[simdgroup_index_in_threadgroup]],
                        uint simdgroups [[simdgroups_per_threadgroup]]) {
  threadgroup float partial[32];
  float sum = 0.0f;
  for (uint column = i; column < columns; column += size) sum += x[row * columns + column];
  sum = reduce<Sum>(sum, partial, lane, simdgroup, simdgroups);
  if (i == 0) y[row] = sum;
}
kernel void softmax(device float* y, device const float* x, constant uint& columns,
                    uint row [[threadgroup_position_in_grid]], uint i [[thread_index_in_threadgroup]],
                    uint size [[threads_per_threadgroup]], uint lane [[thread_index_in_simdgroup]],
                    uint simdgroup [[simdgroup_index_in_threadgroup]],
                    uint simdgroups [[simdgroups_per_threadgroup]]) {
  threadgroup float partial[32];
  x += row * columns;
  y += row * columns;
  float largest = -INFINITY;
  for (uint column = i; column < columns; column += size) largest = max(largest, x[column]);
  largest = reduce<Max>(largest, partial, lane, simdgroup, simdgroups);
  float sum = 0.0f;
  for (uint column = i; column < columns; column += size) sum += exp(x[column] - largest);
  sum = reduce<Sum>(sum, partial, lane, simdgroup, simdgroups);
  for (uint column = i; column < columns; column += size) y[column] = exp(x[column] - largest) / sum;
}
// 8 barriers for 4 elements of each thread.
kernel void tree(device float* y, device const float* x, uint row [[threadgroup_position_in_grid]],
                 uint i [[thread_index_in_threadgroup]]) {
  threadgroup float partial[256];
  device const float* mine = x + row * 1024 + i;
  partial[i] = mine[0] + mine[256] + mine[512] + mine[768];
  for (uint n = 128; n > 0; n /= 2) {
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (i < n) partial[i] += partial[i + n];
  }
  if (i == 0) y[row] = partial[0];
}
"""


@dataclass
class Case:
    """Two ways to one result; `out` is where the kernel's arrives."""

    kernel: Callable[[], object]
    torch: Callable[[], torch.Tensor]
    out: torch.Tensor | None = None

    def check(self) -> None:
        ours = self.kernel()
        result = self.out if self.out is not None else ours
        assert isinstance(result, torch.Tensor)
        torch.testing.assert_close(result.cpu(), self.torch(), rtol=1e-4, atol=1e-3)


def cases() -> Iterator[tuple[str, Case]]:
    kernels = msl.compile(SOURCE, checked=False)
    torch.manual_seed(0)  # of a million numbers, sums near zero differ by as much as is allowed
    x, y = torch.randn(COUNT), torch.randn(COUNT)
    out = torch.empty(COUNT)
    ours = torch.empty(COUNT)
    rows = x.view(ROWS, COLUMNS)

    def over(
        name: str, *inputs: Argument, threads: int = COUNT, result: torch.Tensor = ours
    ) -> Callable[[], None]:
        return lambda: kernels[name](result, *inputs, threads=threads)

    def groups(
        name: str, result: torch.Tensor, count: int, *inputs: Argument, size: int = 256
    ) -> Callable[[], None]:
        return lambda: kernels[name](result, *inputs, threadgroups=count, group_size=size)

    gelu, silu = torch.ops.aten.gelu.out, torch.ops.aten.silu.out

    def sum_of_both() -> torch.Tensor:
        return torch.add(x, y, out=out)

    yield "copy", Case(over("copy", x), lambda: out.copy_(x), ours)
    yield "add", Case(over("add", x, y), sum_of_both, ours)
    yield "add, bounds", Case(over("add_bounded", x, y, COUNT), sum_of_both, ours)
    yield (
        "add, float4",
        Case(over("add_vectors", x, y, threads=COUNT // 4), sum_of_both, ours),
    )
    yield "add, group and index", Case(over("add_groups", x, y), sum_of_both, ours)
    yield "relu", Case(over("relu", x), lambda: torch.clamp_min(x, 0, out=out), ours)
    yield "exp", Case(over("exponential", x), lambda: torch.exp(x, out=out), ours)
    yield (
        "gelu, tanh",
        Case(over("gelu", x), lambda: gelu(x, approximate="tanh", out=out), ours),
    )
    yield "silu", Case(over("silu", x), lambda: silu(x, out=out), ours)
    xh, yh, outh, oursh = x.half(), y.half(), out.half(), ours.half()
    yield (
        "add, half",
        Case(over("add_half", xh, yh, result=oursh), lambda: torch.add(xh, yh, out=outh), oursh),
    )
    square = out.view(COLUMNS, ROWS)
    size = torch.tensor([ROWS, COLUMNS], dtype=torch.int32)
    yield (
        "transpose",
        Case(
            lambda: kernels["transpose"](
                ours.view(COLUMNS, ROWS), x, size, threads=(ROWS, COLUMNS), group_size=(32, 8)
            ),
            lambda: square.copy_(rows.t()),
            ours.view(COLUMNS, ROWS),
        ),
    )
    wide = torch.randn(ROWS, 2 * COLUMNS)
    part = wide[:, ::2]
    strides = torch.tensor(part.stride())
    yield (
        "strided copy",
        Case(
            over("strided", wide, COLUMNS, strides),
            lambda: out.view(ROWS, COLUMNS).copy_(part),
            ours.view(ROWS, COLUMNS),
        ),
    )
    dx, dy = x.to("mps"), y.to("mps")
    dout = torch.empty_like(dx)
    heaviside = torch.ops.aten.heaviside.out
    yield (
        "heaviside, metal/",
        Case(lambda: heaviside(dx, dy, out=dout), lambda: heaviside(x, y, out=out), dout),
    )
    many = torch.empty(COUNT // 256)
    few = torch.empty(ROWS)
    yield (
        "sum, 1 to a thread",
        Case(groups("sum_of_groups", many, COUNT // 256, x), lambda: x.view(-1, 256).sum(1), many),
    )
    yield "sum, 16 to a thread", Case(groups("sum_of_rows", few, ROWS, x, COLUMNS), lambda: rows.sum(1), few)
    long = torch.empty(16)
    yield (
        "sum, 4096 to a thread",
        Case(groups("sum_of_rows", long, 16, x, COUNT // 16), lambda: x.view(16, -1).sum(1), long),
    )
    yield (
        "softmax",
        Case(
            groups("softmax", ours, ROWS, x, COLUMNS),
            lambda: torch.softmax(rows, 1),
            ours.view(ROWS, COLUMNS),
        ),
    )
    quarters = torch.empty(COUNT // 1024)
    yield (
        "sum by tree, 4 to a thread",
        Case(groups("tree", quarters, COUNT // 1024, x), lambda: x.view(-1, 1024).sum(1), quarters),
    )


def clock(run: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds that went by, and that the processors spent."""
    used, start = time.process_time(), time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1e3, (time.process_time() - used) * 1e3


def median_ratio(ours: Iterable[float], theirs: Iterable[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("only", nargs="*", help="cases whose names have one of these in them")
    options = parser.parse_args()
    mpsops.simulator.install()
    console = Console()
    chosen = {
        name: case for name, case in cases() if not options.only or any(text in name for text in options.only)
    }
    for threads in options.threads:
        torch.set_num_threads(threads)
        table = Table(title=f"2^24 float32, {threads} threads, torch {torch.__version__}")
        for column in ("kernel", "ms", "torch", "ratio", "of CPU time", "ns a number"):
            table.add_column(column, justify="left" if column == "kernel" else "right")
        for name, case in chosen.items():
            case.check()
            ours, theirs = [], []
            for _ in range(options.repeats):
                ours.append(clock(case.kernel))
                theirs.append(clock(case.torch))
            ratios = [
                [a / max(b, 1e-3) for a, b in zip(*pair, strict=True)]
                for pair in zip(ours, theirs, strict=True)
            ]
            wall, cpu = (statistics.median(ratio) for ratio in zip(*ratios, strict=True))
            best, used = (min(times) for times in zip(*ours, strict=True))
            cells = (best, min(theirs)[0], wall, cpu, used * 1e6 / COUNT)
            table.add_row(name, *(f"{cell:.2f}" for cell in cells))
        console.print(table)


if __name__ == "__main__":
    main()
