"""MLX: bindings are those of `mlx/backend/metal/*.cpp`."""

from collections.abc import Iterator

import torch
from kernel_corpus import Run, family

from corpus_cases.torch_elementwise import strides
from corpus_cases.torch_normalisation import threads

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@family("mlx", "arange.metal")
def arange() -> Iterator[Run]:
    for name, dtype in (DTYPES | {"int32": torch.int32, "uint8": torch.uint8, "int64": torch.int64}).items():
        start, step = (torch.tensor([value], dtype=dtype) for value in (3, 2))
        out = torch.zeros(50, dtype=dtype)
        yield Run(f"arange{name}", [start, step, out], {2: torch.arange(50).double() * 2 + 3}, 50)


@family("mlx", "softmax.metal")
def softmax() -> Iterator[Run]:
    for name, dtype in DTYPES.items():
        for kernel, axis in (("block", 70), ("block", 300), ("looped", 5000)):
            x = torch.randn(3, axis).to(dtype)
            expected = torch.softmax(x.double(), 1)
            group = threads(axis) if kernel == "block" else 1024  # NaN in smaller ones
            precise = "" if dtype == torch.float32 else "precise_"
            bound = [x, torch.zeros_like(x), axis]
            yield Run(f"{kernel}_softmax_{precise}{name}", bound, {1: expected}, 3, group, groups=True)


@family("mlx", "logsumexp.metal")
def logsumexp() -> Iterator[Run]:
    for name, dtype in DTYPES.items():
        for kernel, axis in (("block", 70), ("block", 300), ("looped", 5000)):
            x = torch.randn(3, axis).to(dtype)
            group = threads(axis) if kernel == "block" else 1024  # NaN in smaller ones
            bound = [x, torch.zeros(3, dtype=dtype), axis]
            expected = {1: torch.logsumexp(x.double(), 1)}
            yield Run(f"{kernel}_logsumexp_{name}", bound, expected, 3, group, groups=True)


@family("mlx", "rms_norm.metal")
def rms_norm() -> Iterator[Run]:
    for name, dtype in DTYPES.items():
        for kernel, axis in (("rms", 70), ("rms", 300), ("rms_looped", 1000)):
            x, w = torch.randn(3, axis).to(dtype), torch.randn(axis).to(dtype)
            unscaled = torch.nn.functional.rms_norm(x.double(), (axis,), eps=1e-5)
            expected = {2: unscaled.to(dtype).double() * w.double()}
            group = threads(axis) if kernel == "rms" else 64
            bound = [x, w, torch.zeros_like(x), 1e-5, axis, 1]
            yield Run(f"{kernel}{name}", bound, expected, 3, group, groups=True)


@family("mlx", "arg_reduce.metal")
def arg_reduce() -> Iterator[Run]:
    for name, dtype in (DTYPES | {"int32": torch.int32, "uint8": torch.uint8, "int64": torch.int64}).items():
        for kernel, reduce in (("argmin", torch.argmin), ("argmax", torch.argmax)):
            x = torch.stack([torch.randperm(101) for _ in range(6)]).to(dtype).reshape(2, 3, 101)
            out = torch.zeros(6, dtype=torch.int32)
            layout = [strides((2, 3)), strides((303, 101)), strides((3, 1))]
            bound = [x, out, layout[0].int(), layout[1], layout[2], 2, 1, 101]
            expected = {1: reduce(x, -1).flatten()}
            yield Run(f"{kernel}_{name}", bound, expected, (32, 6, 1), (32, 1, 1))
