"""PyTorch 2.6: optimizers, which find their tensors in an argument buffer, 32 of a kind."""

from collections.abc import Iterator

import torch
from kernel_corpus import Pointers, Run, family

from corpus_cases.torch_elementwise import DTYPES

SIZES = (5, 130)
LISTS = 32


def _lists(*kinds: list[torch.Tensor]) -> Pointers:
    return Pointers([each for kind in kinds for each in (*kind, *[None] * (LISTS - len(kind)))])


def _metadata() -> torch.Tensor:
    """Sizes; then, by threadgroup, its tensor and its chunk."""
    fields = torch.zeros(3, LISTS, dtype=torch.int32)
    fields[0, : len(SIZES)] = torch.tensor(SIZES)
    fields[1, : len(SIZES)] = torch.arange(len(SIZES))
    return fields


def _run(
    kernel: str, kinds: list[list[torch.Tensor]], scalars: list[float], after: list[torch.Tensor]
) -> Run:
    expected = {(0, kind * LISTS + which): each for kind, which, each in after}
    bound = [_lists(*kinds), _metadata(), *scalars]
    # Every step of an update is kept in the type of the parameters.
    return Run(kernel, bound, expected, 2, 64, groups=True, roundings=6)


@family("torch", "FusedOptimizerOps.metal", fits="AdamAmsgradArguments")
def adam() -> Iterator[Run]:
    lr, beta1, beta2, decay, eps, step = 0.25, 0.5, 0.75, 0.125, 0.5, 3
    pairs = [(a, b) for a in DTYPES for b in DTYPES if {a, b} != {"half", "bfloat"}]
    for name, step_name in pairs:
        for adamw in (False, True):
            for amsgrad in (False, True):
                for maximize in (0, 1):
                    kinds: list[list[torch.Tensor]] = [[] for _ in range(6 if amsgrad else 5)]
                    after = []
                    for which, size in enumerate(SIZES):
                        tensors = [torch.randint(0, 9, (size,)) / 8 - 0.5 for _ in range(3)]
                        tensors += [torch.randint(0, 9, (size,)) / 8 for _ in range(1 + amsgrad)]
                        tensors = [each.to(DTYPES[name]) for each in tensors]
                        steps = torch.tensor([step], dtype=DTYPES[step_name])
                        for kind, each in enumerate([*tensors, steps]):
                            kinds[kind].append(each)
                        param, grad, average, square, *largest = [each.double() for each in tensors]
                        slope = -grad if maximize else grad
                        if adamw:
                            param = param - lr * decay * param
                        else:
                            slope = slope + decay * param
                        average = beta1 * average + (1 - beta1) * slope
                        square = beta2 * square + (1 - beta2) * slope * slope
                        under = torch.maximum(largest[0], square) if amsgrad else square
                        denominator = under.sqrt() / (1 - beta2**step) ** 0.5 + eps
                        param = param - lr / (1 - beta1**step) * average / denominator
                        after += [(0, which, param), (2, which, average), (3, which, square)]
                        after += [(4, which, under)] if amsgrad else []
                    kernel = "fused_adam" + "w" * adamw + "_amsgrad" * amsgrad
                    scalars = [lr, beta1, beta2, decay, eps, maximize]
                    yield _run(f"{kernel}_{name}_{step_name}", kinds, scalars, after)


@family("torch", "FusedOptimizerOps.metal", fits="SgdMomentumArguments")
def sgd() -> Iterator[Run]:
    decay, momentum, lr, dampening = 0.25, 0.5, 0.125, 0.25
    for name, dtype in DTYPES.items():
        for nesterov, maximize, first in ((0, 0, 0), (1, 1, 0), (0, 1, 1)):
            kinds: list[list[torch.Tensor]] = [[], [], []]
            plain, with_momentum = [], []
            for which, size in enumerate(SIZES):
                tensors = [(torch.randint(0, 9, (size,)) / 8 - 0.5).to(dtype) for _ in range(3)]
                for kind, each in enumerate(tensors):
                    kinds[kind].append(each)
                param, grad, buffer = [each.double() for each in tensors]
                slope = (-grad if maximize else grad) + decay * param
                plain.append((0, which, param - lr * slope))
                buffer = slope if first else momentum * buffer + (1 - dampening) * slope
                moved = slope + momentum * buffer if nesterov else buffer
                with_momentum += [(0, which, param - lr * moved), (2, which, buffer)]
            yield _run(f"fused_sgd_{name}", kinds[:2], [decay, lr, maximize], plain)
            scalars = [decay, momentum, lr, dampening, nesterov, maximize, first]
            yield _run(f"fused_sgd_momentum_{name}", kinds, scalars, with_momentum)
