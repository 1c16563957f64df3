"""A model or a pipeline: inference, or steps of training, in the largest batch that there is memory for."""

import dataclasses
import gc
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from benchmarks import pairs, providers
from benchmarks.measuring.bench import Bench, Result, first_line, is_lost, is_out_of_memory, refusal
from benchmarks.models import Mode, Workload
from benchmarks.models.judging import ProgramJudge
from benchmarks.programs import ProgramCase
from mpsops._harness import timing


def _call(workload: Workload, mode: Mode) -> Callable[[], object]:
    """What is timed: as users run it, dropout included."""
    if mode == "infer":
        return workload.infer
    optimizer = workload.optimizer()
    return lambda: workload.step(optimizer)


def _measure(case: ProgramCase, batch: int, bench: Bench) -> Result:
    (name,) = bench.provider.rows
    program = case.model.workload(case.scale, batch)
    inputs = [each for each in tree_leaves(program.inputs) if isinstance(each, torch.Tensor)]
    judge = ProgramJudge(program, case.mode, batch)
    columns: dict[str, Any] = {
        "batch": batch,
        "scaled": program.scaled,
        "judged_batch": judge.items,
        "shape": [list(each.shape) for each in inputs],
    }
    fallbacks: list[int] = []
    try:
        on_device = program.to(bench.device)
        with providers.counted_fallbacks(fallbacks):
            found = judge.observed(on_device, bench.device)
            bench.clock.synchronize()
    except (NotImplementedError, RuntimeError, TypeError) as error:
        if is_lost(error) or is_out_of_memory(error):
            raise
        return Result(name, refusal(name, error), first_line(error), columns)
    verdict = judge.verdict(found)
    columns |= {key: value for key, value in dataclasses.asdict(verdict).items() if key != "note"}
    columns["fallback_ops"] = fallbacks[0]
    if verdict.note:
        return Result(name, "wrong", verdict.note, columns)
    if name in pairs.OURS and fallbacks[0]:
        return Result(name, "error", f"{fallbacks[0]} ops left the device", columns)
    contestant = timing.Contestant(name, _call(on_device, case.mode))
    samples = timing.measure(bench.clock, [contestant], bench.plan.of_program())[name]
    return Result(name, "ok", "", {**columns, **timing.as_row(samples)})


def measure(case: ProgramCase, bench: Bench) -> Iterator[Result]:
    """The result of the only contestant. The batch is halved as long as there is not enough memory."""
    batch = case.batch
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while True:
            try:
                yield _measure(case, batch, bench)
                return
            except ModuleNotFoundError as error:
                if error.name is None:  # of a package that is there, and cannot be loaded
                    raise
                text = f"needs {error.name}: pip install 'mpsops[bench]'"
                yield from (Result(name, "skipped", text, {}) for name in bench.provider.rows)
                return
            except Exception as error:
                if batch == 1 or not is_out_of_memory(error):
                    raise
            finally:
                gc.collect()
                bench.release()
            batch //= 2
