"""PyTorch 2.15: norms of any order, and sums over the rows of a matrix."""

import struct
from collections.abc import Iterator

import torch
from kernel_corpus import Run, family

from corpus_cases.torch_binary import INTEGERS
from corpus_cases.torch_elementwise import DTYPES

RANK = 16  # of the arrays in the parameters


def _padded(*values: int) -> list[int]:
    return [*values, *[0] * (RANK - len(values))]


@family("torch", "ReduceOps.metal", fits="norm_abs_functor")
def norms() -> Iterator[Run]:
    shape = (3, 70, 5)
    for name, dtype in DTYPES.items():
        x = torch.randint(-2, 3, shape).to(dtype)
        for order in (0.0, 1.0, 2.0, 3.0, torch.inf, -torch.inf):
            expected = torch.linalg.vector_norm(x.double(), order, dim=1, keepdim=True)
            yield _norm(f"norm_{name}_{name}", x, x.stride(), order, expected)
    for name, dtype in (("float2", torch.float32), ("half2", torch.float16)):
        pairs = torch.randint(-3, 4, (*shape, 2)).to(dtype)
        numbers = torch.view_as_complex(pairs.double())
        expected = torch.linalg.vector_norm(numbers, 2, dim=1, keepdim=True)
        kernel = f"norm_{name}_{name[:-1]}"
        yield _norm(kernel, pairs, numbers.stride(), 2.0, expected)


def _norm(kernel: str, x: torch.Tensor, steps: tuple[int, ...], order: float, expected: torch.Tensor) -> Run:
    out = torch.zeros(expected.shape, dtype=x.dtype)
    arrays = [*_padded(3, 70, 5), *_padded(*steps), *_padded(*out.shape), *_padded(*out.stride())]
    parameters = struct.pack("f2I64I", order, 70, 3, *arrays)
    return Run(kernel, [x, out, parameters], {1: expected}, out.numel(), 64, groups=True)


@family("torch", "ReduceOps.metal", fits="sum_reduction_outer")
def sums() -> Iterator[Run]:
    every = DTYPES | INTEGERS | {"bool": torch.bool}
    pairs = [(name, name) for name in every if name != "bool"]
    pairs += [(name, "long") for name in ("int", "short", "char", "uchar", "bool")]
    pairs += [("half", "float"), ("bfloat", "float"), ("bool", "int")]
    for source, target in pairs:
        x = torch.randint(0, 2, (77, 64)).to(every[source])
        for divisor in (0.0, 7.0) if every[target].is_floating_point else (0.0,):
            out = torch.zeros(64, dtype=every[target])
            expected = x.double().sum(0) / (divisor or 1.0)
            sizes = torch.tensor([77, 64, 1, 0], dtype=torch.int32)
            kernel = f"sum_reduction_outer_{source}_{target}"
            yield Run(kernel, [x, out, sizes, divisor], {1: expected}, (2, 1), (32, 32), groups=True)
    for source, dtype in (("float2", torch.float32), ("half2", torch.float16)):
        x, out = torch.randint(-2, 3, (77, 64, 2)).to(dtype), torch.zeros(64, 2, dtype=dtype)
        bound = [x, out, torch.tensor([77, 64, 1, 0], dtype=torch.int32), 0.0]
        kernel = f"sum_reduction_outer_{source}_{source}"
        yield Run(kernel, bound, {1: x.double().sum(0)}, (2, 1), (32, 32), groups=True)


@family("torch", "EmbeddingBag.metal", fits="MaybeCalcMaxIndex")
def embedding_bag() -> Iterator[Run]:
    rows = torch.tensor([1, 4, 2, 0, 3, 3, 5, 2, 1])
    starts = torch.tensor([0, 3, 4, 8])
    for name, dtype in DTYPES.items():
        weight = torch.stack([torch.randperm(6) - 3 for _ in range(5)], 1).to(dtype)
        scale = (0.5 ** torch.randint(0, 3, (9,))).to(dtype)
        for index, index_dtype in (("int", torch.int32), ("long", torch.int64)):
            for mode, padding, scaled in ((0, -1, True), (0, 2, False), (1, 2, False), (2, 3, False)):
                results = torch.ops.aten._embedding_bag(
                    weight.double(),
                    rows,
                    starts,
                    mode=mode,
                    per_sample_weights=scale.double() if scaled else None,
                    padding_idx=padding,
                )
                counts = torch.tensor([each.ne(padding).sum() for each in rows.tensor_split(starts[1:])])
                bags = torch.arange(4).repeat_interleave(starts.diff(append=torch.tensor([9])))
                outputs = [torch.zeros(4, 5, dtype=dtype)]
                outputs += [torch.zeros(size, dtype=index_dtype) for size in (9, 4)]
                outputs += [torch.zeros(4, 5, dtype=index_dtype)]
                fields = (5, 1, 5, 1, 5, 1, scaled, 1, 9, 4, 5, 6, mode, padding)
                parameters = struct.pack("6I?3x5Ii4xq", *fields)
                places = [rows.to(index_dtype), starts.to(index_dtype)]
                bound = [weight, *places, scale, *outputs, parameters]
                expected = {4: results[0], 5: bags, 6: counts}
                if mode == 2:
                    expected[7] = results[3]
                yield Run(f"embedding_bag_{name}_{index}", bound, expected, 20)
