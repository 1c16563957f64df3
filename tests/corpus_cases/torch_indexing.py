"""PyTorch 2.6: reads and writes at indices, whose tensors come as addresses in a buffer; histograms."""

from collections.abc import Iterator

import torch
from kernel_corpus import Pointers, Run, family

from corpus_cases.torch_binary import offsets
from corpus_cases.torch_elementwise import strides

WIDTHS = {8: torch.int8, 16: torch.int16, 32: torch.int32, 64: torch.int64}
OFFSETS = {"idx32": torch.int32, "idx64": torch.int64}


@family("torch", "Indexing.metal", fits="struct IndexAB")
def indexing() -> Iterator[Run]:
    rows, columns = torch.tensor([0, -1, 2, 4, 1, 3]), torch.tensor([6, 0, -7, 3, 3, 1])
    shape, count = (5, 7), 6
    indices = Pointers([rows, columns])
    for index_width, offset in OFFSETS.items():
        for width, dtype in WIDTHS.items():
            x, values = torch.randint(-100, 100, shape).to(dtype), torch.arange(1, 7).to(dtype)
            size = x.element_size()
            layout = [strides(shape), strides(x) * size]
            at = offsets(count, size, 0, 8, dtype=offset)
            read = [indices, *layout, at, x, torch.zeros_like(values), 2]
            yield Run(f"index_select_{width}bit_{index_width}", read, {5: x[rows, columns]}, count)
            at = offsets(count, 0, size, 8, dtype=offset)
            written = x.index_put((rows, columns), values)
            write = [indices, *layout, at, values, x, 2]
            yield Run(f"index_put_{width}bit_{index_width}", write, {5: written}, count)
            yield Run(f"index_put_serial_{width}bit_{index_width}", [*write, count], {5: written}, 1)
        again = Pointers([torch.tensor([1, 1, -4, 0, 1, 4]), torch.tensor([2, 2, 2, 0, -5, 6])])
        for name, dtype in (("float", torch.float32), ("int", torch.int32)):
            x, values = torch.randint(-9, 9, shape).to(dtype), torch.arange(1, 7).to(dtype)
            at = offsets(count, 0, 4, 8, dtype=offset)
            wide = torch.float64 if dtype.is_floating_point else dtype
            added = x.to(wide).index_put(tuple(again.tensors), values.to(wide), accumulate=True)
            bound = [again, strides(shape), strides(x) * 4, at, values, x, 2]
            yield Run(f"index_put_accumulate_32bit_{name}_{index_width}", bound, {5: added}, count)


@family("torch", "Indexing.metal", fits="kernel_index_offsets")
def index_offsets() -> Iterator[Run]:
    shape = torch.tensor([3, 4, 2], dtype=torch.int32)  # the fastest first
    steps = torch.tensor([[4, 8, 0], [12, 1, 8], [48, 100, 24]], dtype=torch.int32)
    place = torch.arange(24)
    position = torch.stack([place % 3, place // 3 % 4, place // 12], 1)
    expected = torch.nn.functional.pad(position @ steps.long(), (0, 1))
    padding = torch.zeros(24, 4, dtype=torch.bool)
    padding[:, 3] = True  # of a three-wide vector
    for width, dtype in ((32, torch.int32), (64, torch.int64)):
        bound = [steps, torch.zeros((24, 4), dtype=dtype), shape, 3]
        yield Run(f"kernel_index_offsets_{width}", bound, {1: expected}, 24, unspecified={1: padding})


@family("torch", "HistogramKernel.metal", fits="bin_seq")
def histogram() -> Iterator[Run]:
    edges = [torch.tensor([0.0, 1.0, 2.0, 4.0]), torch.tensor([-1.0, 0.0, 1.0])]
    points = torch.tensor([[0.5, -0.5], [1.0, 1.0], [3.9, 0.25], [4.0, -1.0], [9.0, 0.0], [0.0, 0.75]])
    weights = torch.tensor([1.0, 2.0, 0.5, 4.0, 8.0, 1.5])
    at = torch.arange(12, dtype=torch.int32)
    yield from _index_offset()
    for name, dtype in (("float", torch.float32), ("half", torch.float16)):
        for weighted in (0, 1):
            expected = torch.zeros(6, 3, 2, dtype=torch.float64)
            for thread, point in enumerate(points):
                weight = weights[thread : thread + 1].double() if weighted else None
                bins = [edge.double() for edge in edges]
                expected[thread] = torch.histogramdd(point[None].double(), bins, weight=weight).hist
            bound = [
                points.to(dtype),
                weights.to(dtype),
                torch.zeros(6, 3, 2, dtype=dtype),
                at,
                2,
                torch.cat(edges).to(dtype),
                strides((4, 3)),
                torch.tensor([0.0, -1.0], dtype=dtype),
                torch.tensor([4.0, 1.0], dtype=dtype),
                strides((6, 2, 1)),
                2,  # binary search
                weighted,
            ]
            yield Run(f"histogramdd_{name}", bound, {2: expected}, 6)
            # Bins of one width, by arithmetic, and with a look at the neighbours.
            for algorithm in (0, 1):
                even = [torch.tensor([0.0, 1.0, 2.0, 3.0]), edges[1]]
                expected = torch.zeros(6, 3, 2, dtype=torch.float64)
                for thread, point in enumerate(points):
                    weight = weights[thread : thread + 1].double() if weighted else None
                    bins = [edge.double() for edge in even]
                    expected[thread] = torch.histogramdd(point[None].double(), bins, weight=weight).hist
                changed = list(bound)
                changed[5] = torch.cat(even).to(dtype)
                changed[8] = torch.tensor([3.0, 1.0], dtype=dtype)
                changed[10] = algorithm
                yield Run(f"histogramdd_{name}", changed, {2: expected}, 6)


def _index_offset() -> Iterator[Run]:
    shape, steps = torch.tensor([3, 4], dtype=torch.int32), torch.tensor([1, 3], dtype=torch.int32)
    expected = torch.arange(12).reshape(4, 3).T.flatten()
    yield Run("kernel_index_offset", [steps, torch.zeros(12, dtype=torch.int32), shape, 2], {1: expected}, 12)
