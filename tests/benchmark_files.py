"""Results files of benchmarks, written by hand: for the tests of what is made of them."""

from typing import Any

SIZES = {"tiny": 512, "medium": 1 << 20, "large": 1 << 26}
SIMULATOR = "simulator on Some Processor"


def row(op: str, provider: str, size: str, milliseconds: float | None, **changes: Any) -> dict[str, Any]:
    """As a run writes it; without milliseconds, a case that is unsupported."""
    case: dict[str, Any] = {
        "suite": "ops",
        "case": f"aten::{op}-{size}-float32-contiguous",
        "name": f"aten::{op}",
        "family": op.split(".", maxsplit=1)[0],
        "size": size,
        "dtype": "float32",
        "layout": "contiguous",
        "pass": "fwd",
        "form": "functional",
        "provider": provider,
        "device": "Some Processor" if provider == "cpu" else SIMULATOR,
        "status": "unsupported",
        "note": "not implemented",
    }
    if milliseconds is not None:
        times = {"lat_q1_ms": 0.9, "lat_ms": 1.0, "lat_q3_ms": 1.2, "lat_min_ms": 0.8, "thr_ms": 0.7}
        case |= {name: factor * milliseconds for name, factor in times.items()}
        case |= {"status": "ok", "note": "", "first_ms": 5.0, "reps": 25, "block": 3, "gpu_ms": None}
        case |= {"shape": [[4, 32], [7]], "bytes": SIZES[size], "gbps": 1.5, "host_us": 3.0}
        case |= {"reference": "float64", "max_abs_err": 1e-7, "max_rel_err": 2e-7, "tol": 1e-5}
        case |= {"fallback_ops": int(provider == "mps_fallback")}
    return {**case, **changes}


def failed(op: str, provider: str, size: str, status: str) -> dict[str, Any]:
    return row(op, provider, size, None, status=status, note=f"it was {status}")


def file_of(rows: list[dict[str, Any]], **environment: Any) -> dict[str, Any]:
    env = {
        "utc": "2026-01-02T03:04:05Z",
        "commit": "0" * 40,
        "dirty": False,
        "mpsops": "0.1.0",
        "torch": "2.13.0",
        "python": "3.12.0",
        "system": "Linux x86_64",
        "processor": "Some Processor",
        "cores": 2,
        "threads": 1,
        "runtime": "sim",
    }
    machine = {
        name: {"canaries_ms": [1.0], "noisy": False, "launch_ms": 0.01, "copy_gbps": 10.0}
        for name in {each["provider"] for each in rows}
    }
    return {"schema": 1, "env": {**env, **environment}, "machine": machine, "plan": {}, "rows": rows}


# By whom in milliseconds: cpu, mps_fallback, mpsops.
OPS = (("wins", 4.0, 8.0, 1.0), ("loses", 1.0, 2.5, 4.0), ("ties", 2.0, 9.0, 2.1))


def everything() -> dict[str, Any]:
    """One op that wins, one that loses, one that ties; results that are wrong, and what did not run."""
    rows = []
    for size, scale in (("tiny", 1.0), ("medium", 10.0), ("large", 100.0)):
        for op, cpu, fallback, ours in OPS:
            rows.append(row(op, "cpu", size, cpu * scale))
            rows.append(row(op, "mps", size, None))
            rows.append(row(op, "mps_fallback", size, fallback * scale))
            rows.append(row(op, "mpsops", size, ours * scale))
    rows += [row("errs", "cpu", "tiny", 1.0), failed("errs", "mps", "tiny", "crash")]
    rows += [failed("errs", "mps_fallback", "tiny", "skipped"), failed("errs", "mpsops", "tiny", "wrong")]
    rows += [failed("alone", "cpu", "tiny", "oom"), row("alone", "mpsops", "tiny", 1.0)]
    return file_of(rows)
