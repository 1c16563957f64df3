"""PyTorch: kernels with a threadgroup for each row."""

import struct
from collections.abc import Iterator

import torch
from kernel_corpus import Run, family

from corpus_cases.torch_elementwise import DTYPES


def threads(axis: int) -> int:
    """As many as read 4 elements each, in whole simdgroups."""
    return (axis + 127) // 128 * 32


@family("torch", "RMSNorm.metal")
def rms_norm() -> Iterator[Run]:
    for name, dtype in DTYPES.items():
        for kernel, axis, group in (
            ("rms_norm", 37, 32),
            ("rms_norm", 300, 96),
            ("rms_norm_looped", 301, 64),
        ):
            x, w = torch.randn(3, axis).to(dtype), torch.randn(axis).to(dtype)
            unscaled = torch.nn.functional.rms_norm(x.double(), (axis,), eps=1e-5)
            # As in the kernel, the row is rounded before it is scaled.
            expected = unscaled.to(dtype).double() * w.double()
            bound = [x, w, torch.zeros_like(x), 1e-5, axis, 1]
            yield Run(f"{kernel}_{name}", bound, {2: expected}, 3, group, groups=True)


@family("torch", "LayerNorm.metal", fits="layer_norm_single_row")
def layer_norm() -> Iterator[Run]:
    for name, dtype in DTYPES.items():
        for kernel, axis, group in (
            ("single_row", 37, 32),
            ("single_row", 302, 96),
            ("looped", 4103, 1024),
        ):
            for scaled in (0, 1):
                x = torch.randn(3, axis).to(dtype)
                w, b = (torch.randn(axis).to(dtype) for _ in range(2))
                affine = (w.double(), b.double()) if scaled else (None, None)
                expected = torch.native_layer_norm(x.double(), (axis,), *affine, 1e-5)
                statistics = [torch.zeros(3, dtype=dtype) for _ in range(2)]
                bound = [x, torch.zeros_like(x), *statistics, axis, 1e-5, scaled, scaled, w, b]
                results = {1: expected[0], 2: expected[1].flatten(), 3: expected[2].flatten()}
                # Sums of single precision, whose rounding the mean and the variance show.
                yield Run(f"layer_norm_{kernel}_{name}", bound, results, 3, group, groups=True, roundings=8)


BATCH, CHANNELS, GROUPS, AREA = 2, 6, 3, 70
# The input's type, and that of the statistics.
PAIRS = [("float", "float"), ("half", "float"), ("bfloat", "float"), ("half", "half"), ("bfloat", "bfloat")]


@family("torch", "GroupNorm.metal", fits="group_norm_backward_affine")
def group_norm() -> Iterator[Run]:
    per_group = CHANNELS // GROUPS
    sizes = (AREA, GROUPS, per_group, per_group * AREA, CHANNELS, BATCH * AREA)
    for index, packed in (("uint32_t", "6If"), ("uint64_t", "6Qfxxxx")):
        parameters = struct.pack(packed, *sizes, 1e-5)
        for name, statistics in PAIRS:
            yield from _group_norm(name, statistics, index, parameters)


def _group_norm(name: str, statistics: str, index: str, parameters: bytes) -> Iterator[Run]:
    dtype, kept = DTYPES[name], DTYPES[statistics]
    x, grad = (torch.randn(BATCH, CHANNELS, AREA).to(dtype) for _ in range(2))
    shape = (BATCH, CHANNELS, AREA, GROUPS)
    # Sums of single precision, whose rounding the results show.
    groups = {"size": BATCH * GROUPS, "group_size": 64, "groups": True, "roundings": 8}
    saved = [each.to(kept) for each in torch.native_group_norm(x.double(), None, None, *shape, 1e-5)[1:]]
    wide = [each.double() for each in saved]
    weights: dict[str, torch.Tensor | None] = {t: torch.randn(CHANNELS).to(DTYPES[t]) for t in DTYPES}
    weights["void"] = None
    doubles = {t: None if each is None else each.double() for t, each in weights.items()}
    for gamma, weight in weights.items():
        for beta in (gamma, "void") if weight is not None else tuple(weights):
            forward = torch.native_group_norm(x.double(), doubles[gamma], doubles[beta], *shape, 1e-5)
            empty = [torch.zeros_like(each) for each in (x, *saved)]
            bound = [*empty, x, weight, weights[beta], parameters]
            kernel = f"group_norm_{name}_{statistics}_{gamma}_{beta}_{index}"
            yield Run(kernel, bound, dict(enumerate(forward)), **groups)
        outputs = [True, weight is not None, weight is not None]
        slopes = torch.ops.aten.native_group_norm_backward(
            grad.double(), x.double(), *wide, doubles[gamma], *shape, outputs
        )
        bound = [torch.zeros_like(x), grad, x, *saved, weight, parameters]
        kernel = f"group_norm_backward_x_{name}_{statistics}_{gamma}_{index}"
        yield Run(kernel, bound, {0: slopes[0]}, **groups)
        if weight is not None:
            empty = [torch.zeros(CHANNELS, dtype=DTYPES[gamma]) for _ in range(2)]
            bound = [*empty, grad, x, *saved, parameters]
            kernel = f"group_norm_backward_affine_{name}_{statistics}_{gamma}_{index}"
            results = {0: slopes[1], 1: slopes[2]}
            yield Run(kernel, bound, results, **(groups | {"size": CHANNELS}))


def _softmax_parameters(x: torch.Tensor, chunks: int = 1) -> bytes:
    """Of the last dimension; the arrays have the others."""
    steps = [x.stride(-1)] * 3
    outer = [[*numbers[:-1], *[0] * (16 - x.dim())] for numbers in (x.shape, *[x.stride()] * 3)]
    numbers = [x.shape[-1], x.dim(), *steps, chunks, *[each for array in outer for each in array]]
    return struct.pack(f"{len(numbers)}I", *numbers)


@family("torch", "SoftMaxKernel.metal", fits="softmax_forward_single_row")
def softmax() -> Iterator[Run]:
    for name, dtype in DTYPES.items():
        for kernel, axis, group in (("single_row", 70, 32), ("single_row", 302, 96), ("looped", 4203, 1024)):
            dense = torch.randn(2, 3, axis).to(dtype)
            apart = torch.randn(2, axis, 3).to(dtype).mT
            for x in (dense, apart):
                expected = {1: torch.softmax(x.double(), 2)}
                bound = [x, torch.zeros_like(x), _softmax_parameters(x)]
                yield Run(f"softmax_forward_{kernel}_{name}", bound, expected, 6, group, groups=True)
        x = torch.randn(2, 3, 9000).to(dtype)
        parts = x.double().reshape(2, 3, 2, 4500)
        largest = parts.amax(-1)
        sums = (parts - largest[..., None]).exp().sum(-1)
        expected = {1: torch.stack([largest, sums], -1)}
        bound = [x, torch.zeros(2, 3, 2, 2), _softmax_parameters(x, chunks=2)]
        yield Run(f"softmax_forward_2pass_reduce_{name}", bound, expected, 12, 1024, groups=True)
