"""The model cases of the benchmarks, in their small size: the device gives what the CPU gives."""

import pytest
import torch
from torch.utils._pytree import tree_leaves

import mpsops
from benchmarks.models import CASES, ModelCase, Workload, vision
from benchmarks.models.dropout import WithoutDropout
from benchmarks.models.judging import distance

BATCH = 2


def workloads(case: ModelCase) -> tuple[Workload, Workload]:
    """On the CPU and on the device."""
    on_cpu = case.workload("small", BATCH)
    return on_cpu, on_cpu.to("mps")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_inference(case: ModelCase) -> None:
    on_cpu, on_mps = workloads(case)
    ours, theirs = tree_leaves(on_mps.infer()), tree_leaves(on_cpu.infer())
    assert {tensor.device.type for tensor in ours} == {"mps"}
    assert distance(ours, theirs) < 1e-5


@pytest.mark.parametrize("case", [case for case in CASES if case.train_batches], ids=lambda case: case.name)
def test_training(case: ModelCase) -> None:
    """Loss, gradients, and weights after a step of the optimizer are the CPU's; nothing left the device."""
    on_cpu, on_mps = workloads(case)
    # Adam's first step is the gradient's sign: its default epsilon would make noise as large as the step.
    optimizers = on_cpu.optimizer(eps=1e-3), on_mps.optimizer(eps=1e-3)
    before = mpsops.cpu_path_calls()
    with WithoutDropout():
        losses = on_cpu.step(optimizers[0]), on_mps.step(optimizers[1])
    assert losses[1].device.type == "mps"
    torch.testing.assert_close(losses[1].cpu(), losses[0], rtol=1e-5, atol=1e-6)
    assert mpsops.cpu_path_calls() == before

    pairs = list(zip(on_mps.module.parameters(), on_cpu.module.parameters(), strict=True))
    if not pairs:
        assert distance(on_mps.input_gradients, on_cpu.input_gradients) < 1e-4
        return
    trained = [(ours, theirs) for ours, theirs in pairs if theirs.grad is not None]
    assert distance([ours.grad for ours, _ in trained], [theirs.grad for _, theirs in trained]) < 1e-4
    assert distance([ours for ours, _ in trained], [theirs for _, theirs in trained]) < 1e-5


def test_full_sizes_are_the_published_ones() -> None:
    """What takes too long here is at least what it says: shapes only, without weights."""
    shapes = {}
    for case in vision.CASES:
        if case.name != "LeNet-5":  # its input is data
            with torch.device("meta"):
                full = case.workload("full", 1)
            assert full.module(*full.inputs).shape == (1, 10)
            assert not full.scaled
            shapes[case.name] = full.inputs[0].shape[-1]
    assert shapes == dict.fromkeys(shapes, 224) | {"EfficientNet-B4": 380}
