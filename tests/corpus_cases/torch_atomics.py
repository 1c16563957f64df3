"""PyTorch 2.15: threads that meet in an element of the output."""

from collections.abc import Iterator

import torch
from kernel_corpus import Run, family

from corpus_cases.torch_elementwise import DTYPES

RANK = 16  # of the arrays in the parameters
INDICES = {"int": torch.int32, "long": torch.int64}
EVERY = DTYPES | {
    "int": torch.int32,
    "short": torch.int16,
    "char": torch.int8,
    "uchar": torch.uint8,
    "long": torch.int64,
}


def _parameters(dim: int, *tensors: torch.Tensor) -> bytes:
    """Rank and dimension, then strides and sizes of each tensor."""
    rank = tensors[0].dim()
    numbers = [rank, dim]
    for tensor in tensors:
        for each in (tensor.stride(), tensor.shape):
            numbers += [*each, *[0] * (RANK - rank)]
    return torch.tensor(numbers, dtype=torch.int32).numpy().tobytes()


@family("torch", "ScatterGather.metal", fits="ScatterReduceOp")
def scatter_gather() -> Iterator[Run]:
    for name, dtype in EVERY.items():
        for index_name, index_dtype in INDICES.items():
            x = torch.randint(1, 4, (3, 4)).to(dtype)
            values = torch.randint(1, 4, (5, 4)).to(dtype)
            index = torch.tensor([[0, 1, 2, 0], [0, 1, 0, 2], [1, 1, 2, 2], [2, 0, 1, 0], [0, 2, 2, 1]])
            wide = torch.float64 if dtype.is_floating_point else torch.int64
            bound = [x, index.to(index_dtype), values, _parameters(0, x, values, index)]
            suffix = f"{name}_{index_name}"
            added = x.to(wide).scatter_add(0, index, values.to(wide))
            yield Run(f"scatter_add_{suffix}", bound, {0: added}, index.numel())
            for reduce in ("prod", "amax", "amin"):
                reduced = x.to(wide).scatter_reduce(0, index, values.to(wide), reduce)
                yield Run(f"scatter_{reduce}_{suffix}", bound, {0: reduced}, index.numel())
            apart = torch.stack([torch.randperm(3) for _ in range(4)], 1)
            few = values[:3]
            bound = [x, apart.to(index_dtype), few, _parameters(0, x, few, apart)]
            written = x.scatter(0, apart, few)
            yield Run(f"scatter_set_{suffix}", bound, {0: written}, apart.numel())
            out = torch.zeros(index.shape, dtype=dtype)
            bound = [out, x, index.to(index_dtype), _parameters(0, x, out, index)]
            yield Run(f"gather_{suffix}", bound, {0: x.gather(0, index)}, index.numel())
