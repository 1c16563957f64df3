"""What ``import mpsops`` adds to ``import torch``: goal under 100 ms.

Run: ``python -m benchmarks.import_time``. Each repetition is a fresh process.
"""

import os
import statistics
import subprocess
import sys

CODE = """
import time, torch
start = time.perf_counter()
import mpsops
print(time.perf_counter() - start)
"""


def measure(**environment: str) -> float:
    result = subprocess.run(
        [sys.executable, "-c", CODE],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(result.stdout) * 1e3


def main() -> None:
    for label, environment in {
        "import mpsops": {"MPSOPS_SIMULATOR": "0"},
        "import mpsops, simulator installed": {"MPSOPS_SIMULATOR": "1"},
    }.items():
        times = [measure(**environment) for _ in range(7)]
        print(f"{label}: median {statistics.median(times):.1f} ms, minimum {min(times):.1f} ms, 7 processes")


if __name__ == "__main__":
    main()
