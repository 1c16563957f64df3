"""PyTorch: kernels with a thread for each element. Bindings are those of `ATen/native/mps/operations`."""

from collections.abc import Iterator

import torch
from kernel_corpus import Run, family

DTYPES = {"float": torch.float32, "half": torch.float16, "bfloat": torch.bfloat16}


def strides(values: torch.Tensor | tuple[int, ...]) -> torch.Tensor:
    """Sizes or strides, as `long`."""
    return torch.tensor(list(values.stride() if isinstance(values, torch.Tensor) else values))


@family("torch", "Repeat.metal")
def repeat() -> Iterator[Run]:
    for name, dtype in (("int32_t", torch.int32), ("int64_t", torch.int64)):
        counts = torch.tensor([3, 0, 1, 5, 2], dtype=dtype)
        expected = torch.repeat_interleave(torch.arange(5), counts.long())
        out = torch.full((11,), -1, dtype=dtype)
        yield Run(f"repeat_interleave_{name}", [counts, counts.cumsum(0), out], {2: expected}, 5)


@family("torch", "RenormKernel.metal")
def renorm() -> Iterator[Run]:
    for name, dtype in DTYPES.items():
        norms = torch.tensor([0.5, 1.0, 2.0, 4.0, 100.0], dtype=dtype)
        expected = torch.where(norms > 1.5, 1.5 / (norms.double() + 1e-7), 1.0)
        yield Run(f"renorm_{name}", [norms, torch.zeros_like(norms), 1.5], {1: expected}, 5)


@family("torch", "CrossKernel.metal", fits="cross_dense")
def cross() -> Iterator[Run]:
    integers = {"long": torch.int64, "int": torch.int32, "short": torch.int16, "char": torch.int8}
    for name, dtype in (DTYPES | integers | {"uchar": torch.uint8, "float2": torch.complex64}).items():
        a, b = (torch.randint(1, 5, (4, 3, 5), dtype=torch.int8).to(dtype) for _ in range(2))
        wide = torch.complex128 if dtype.is_complex else torch.float64 if dtype.is_floating_point else dtype
        expected = torch.linalg.cross(a.to(wide), b.to(wide), dim=1).to(dtype)
        out = torch.zeros_like(a)
        yield Run(f"cross_dense_{name}", [out, a, b, 5], {0: expected}, 20)
        squashed = strides((4, 5))
        columns = a.permute(2, 1, 0).contiguous().permute(2, 1, 0)
        every = [strides(each) for each in (out, columns, b)]
        yield Run(f"cross_strided_{name}", [out, columns, b, squashed, *every, 3, 1], {0: expected}, 20)


@family("torch", "UnfoldBackward.metal")
def unfold_backward() -> Iterator[Run]:
    for name, dtype in DTYPES.items():
        for size, step in ((3, 1), (2, 2), (2, 3)):
            shape = (3, 8)
            folds = (shape[1] - size) // step + 1
            grad = torch.randint(-4, 5, (3, folds, size)).to(dtype)
            expected = torch.ops.aten.unfold_backward(grad.double(), shape, 1, size, step)
            out = torch.zeros(shape, dtype=dtype)
            scalars = torch.tensor([1, size, step, 2], dtype=torch.int32)
            bound = [grad, out, strides(grad), strides(shape), strides(out), scalars]
            yield Run(f"unfold_backward_{name}", bound, {1: expected}, 24)


@family("torch", "UnfoldBackward.metal", fits="INSTANTIATE_UNFOLD_BACKWARD(float2)")
def unfold_backward_complex() -> Iterator[Run]:
    grad = torch.view_as_complex(torch.randint(-4, 5, (3, 6, 3, 2)).float())
    expected = torch.ops.aten.unfold_backward(grad.to(torch.complex128), (3, 8), 1, 3, 1)
    out = torch.zeros((3, 8), dtype=torch.complex64)
    layout = [strides(grad), strides((3, 8)), strides(out), torch.tensor([1, 3, 1, 2], dtype=torch.int32)]
    yield Run("unfold_backward_float2", [grad, out, *layout], {1: expected}, 24)


@family("torch", "CrossKernel.metal", fits="REGISTER_CROSS_OP(half2)")
def cross_of_half_pairs() -> Iterator[Run]:
    a, b = (torch.randint(-3, 4, (4, 3, 5, 2)).half() for _ in range(2))
    numbers = [torch.view_as_complex(each.double()) for each in (a, b)]
    expected = {0: torch.view_as_real(torch.linalg.cross(*numbers, dim=1))}
    out = torch.zeros_like(a)
    yield Run("cross_dense_half2", [out, a, b, 5], expected, 20)
    layout = [strides((4, 5)), *[strides(numbers[0])] * 3, 3, 1]
    yield Run("cross_strided_half2", [out, a, b, *layout], expected, 20)


@family("torch", "TriangularOps.metal")
def triangular() -> Iterator[Run]:
    for name, dtype in (("int", torch.int32), ("long", torch.int64)):
        for rows, columns in ((5, 4), (4, 6), (40, 40)):
            expected = torch.tril_indices(rows, columns)
            count = expected.shape[1]
            trapezoid = count - max(0, rows - columns) * columns
            out = torch.zeros((2, count), dtype=dtype)
            yield Run(f"tril_indices_{name}", [out, 0, 1, columns, trapezoid, count], {0: expected}, count)
            expected = torch.triu_indices(rows, columns)
            count = expected.shape[1]
            out = torch.zeros((2, count), dtype=dtype)
            yield Run(f"triu_indices_{name}", [out, 0, columns, columns, 0, count], {0: expected}, count)


@family("torch", "Bucketization.metal")
def searchsorted() -> Iterator[Run]:
    integers = {"int": torch.int32, "long": torch.int64, "short": torch.int16, "char": torch.int8}
    for name, dtype in (DTYPES | integers | {"uchar": torch.uint8}).items():
        edges = torch.tensor([[1, 3, 3, 7], [0, 2, 5, 9]]).to(dtype)
        values = torch.tensor([[0, 1, 3, 4, 7, 8], [5, 0, 2, 10, 9, 1]]).to(dtype)
        sorter = torch.tensor([[2, 0, 3, 1], [3, 1, 0, 2]])
        mixed = torch.zeros_like(edges).scatter(1, sorter, edges)
        for right in (0, 1):
            expected = torch.searchsorted(edges, values, right=bool(right))
            for to, out_dtype in (("long", torch.int64), ("int", torch.int32)):
                out = torch.zeros(expected.shape, dtype=out_dtype)
                kernel = f"searchsorted_{name}_{to}"
                bound = [values, edges, out, 6, 4, 12, right, 0]
                yield Run(kernel, bound, {2: expected}, 12, 12)
                bound = [values, mixed, out, 6, 4, 12, right, 0, sorter]
                yield Run(f"{kernel}_sorter", bound, {2: expected}, 12, 12)
