"""The CPU path against torch's copying fallback, op by op, in one process on the simulated device.

    python -m benchmarks.cpu_path

Both run the same CPU kernel; what differs is how its arguments and results get there. Times are those of this
machine's CPU and memory, not of a Mac's.
"""

import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ["PYTORCH_ENABLE_MPS_FALLBACK"] = "1"
os.environ["MPSOPS_SIM_CHECK"] = "0"

import torch
from rich.console import Console
from rich.table import Table

import mpsops
import mpsops.simulator

SIZE = (4096, 4096)  # float32: 64 MiB
REPEATS = 5

Case = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def define_ops() -> torch.library.Library:
    """Under a name that MPS does not know, both ways run them on the CPU."""
    library = torch.library.Library("mpsops_bench", "DEF")
    library.define("heaviside(Tensor self, Tensor values) -> Tensor")
    library.define("take(Tensor self, Tensor index) -> Tensor")
    library.define("fmax(Tensor self, Tensor other) -> Tensor")
    library.define("sum_rows(Tensor self) -> Tensor")
    library.define("add_(Tensor(a!) self, Tensor other) -> Tensor(a!)")
    library.impl("heaviside", torch.heaviside, "CPU")
    library.impl("take", torch.take, "CPU")
    library.impl("fmax", torch.fmax, "CPU")
    library.impl("sum_rows", lambda self: self.sum(1), "CPU")
    library.impl("add_", lambda self, other: self.add_(other), "CPU")
    return library


def cases() -> dict[str, Case]:
    ops = torch.ops.mpsops_bench
    index = torch.arange(10, device="mps")
    return {
        "heaviside": ops.heaviside,
        "fmax": ops.fmax,
        "sum(1)": lambda x, _: ops.sum_rows(x),
        "add_": ops.add_,
        "take of 10": lambda x, _: ops.take(x, index),
    }


def peak_memory() -> int:
    """Bytes of memory that the process had in use at most since the last reset_peak_memory()."""
    status = Path("/proc/self/status").read_text().splitlines()
    (line,) = (text for text in status if text.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def reset_peak_memory() -> int:
    """Returns the bytes in use now."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_memory()


def measure(case: Case, x: torch.Tensor, y: torch.Tensor) -> tuple[float, int]:
    """Best time in milliseconds, and MiB in use at most beyond what was in use before."""
    case(x, y)
    before = reset_peak_memory()
    case(x, y)
    extra = peak_memory() - before
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        case(x, y)
        times.append(time.perf_counter() - start)
    return min(times) * 1e3, extra >> 20


def main() -> None:
    warnings.simplefilter("ignore")
    mpsops.simulator.install()
    library = define_ops()
    x, y = (torch.randn(SIZE).to("mps") for _ in range(2))
    table = Table(
        title=f"Simulator, {torch.get_num_threads()} threads, torch {torch.__version__}, {SIZE} float32"
    )
    for column in ("op", "ms", "fallback", "ratio", "copied", "MiB", "fallback", "equal"):
        table.add_column(column, justify="left" if column == "op" else "right")
    for name, case in cases().items():
        mpsops.enable(cpu_path=True)
        result = case(x.clone(), y)
        mpsops.enable(cpu_path=False)
        equal = torch.equal(result, case(x.clone(), y))
        mpsops.enable(cpu_path=True)
        mpsops.reset_counts()
        ours, memory = measure(case, x, y)
        (calls,) = mpsops.cpu_path_calls().values()
        mpsops.enable(cpu_path=False)
        theirs, fallback_memory = measure(case, x, y)
        cells = (f"{ours:.3f}", f"{theirs:.3f}", f"{theirs / ours:.1f}", calls.bytes_copied)
        table.add_row(name, *map(str, (*cells, memory, fallback_memory, equal)))
    del library
    Console().print(table)


if __name__ == "__main__":
    main()
