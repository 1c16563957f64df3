"""PyTorch 2.6: special functions, and sources that are format strings, filled with the names of types."""

from collections.abc import Callable, Iterator

import torch
from kernel_corpus import Run, family

from corpus_cases.torch_binary import INTEGERS
from corpus_cases.torch_elementwise import DTYPES, strides


@family("torch", "SpecialOps.metal", fits='"i0_" #DTI')
def bessel() -> Iterator[Run]:
    for name, dtype in (DTYPES | INTEGERS | {"bool": torch.bool}).items():
        x = torch.tensor([0.0, 0.5, -1.0, 2.0, -7.5, 8.0, 9.0, -10.0]).to(dtype)
        to = dtype if dtype.is_floating_point else torch.float32
        names = {v: k for k, v in DTYPES.items()}
        for function, reference in (("i0", torch.special.i0), ("i1", torch.special.i1)):
            out = torch.zeros(len(x), dtype=to)
            yield Run(f"{function}_{name}_{names[to]}", [x, out], {1: reference(x.double())}, len(x))


@family("torch-strings", "native/mps/operations/Gamma.mm")
def gamma() -> Iterator[Run]:
    for name, dtype in (DTYPES | {"int": torch.int32}).items():
        x = torch.tensor([0.25, 0.5, 1.0, 2.5, 4.0, 9.75, -0.5, -1.25]).to(dtype)
        to = dtype if dtype.is_floating_point else torch.float32
        types = (name, name if dtype.is_floating_point else "float")
        functions: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
            "lgamma": torch.lgamma,
            "digamma": torch.digamma,
        }
        for function, reference in functions.items():
            bound = [x, torch.zeros(len(x), dtype=to)]
            yield Run(function, bound, {1: reference(x.double())}, len(x), types=types)
        positive = x.abs() + 1
        bound = [positive, torch.zeros(len(x), dtype=to)]
        expected = torch.special.polygamma(1, positive.double())
        yield Run("trigamma", bound, {1: expected}, len(x), types=types)
        for order in (2, 3):
            expected = torch.special.polygamma(order, positive.double())
            yield Run("polygamma", [*bound, order], {1: expected}, len(x), types=types)


@family("torch-strings", "native/mps/UnaryConstants.h")
def unary() -> Iterator[Run]:
    for name, dtype in DTYPES.items():
        x = torch.tensor([0.0, 0.25, -0.5, 0.6875, 0.75, -0.9375, 1.0, -1.0]).to(dtype)
        for function, reference in (
            ("erfinv", torch.erfinv),
            ("exp", torch.exp),
            ("tanh", torch.tanh),
        ):
            bound = [torch.zeros_like(x), x]
            expected = {0: reference(x.double())}
            yield Run(f"{function}_kernel", bound, expected, len(x), types=(name, name))
        if name != "bfloat":
            pairs = x.reshape(4, 2)
            numbers = torch.view_as_complex(pairs.double())
            for function, reference in (("exp", torch.exp), ("tanh", torch.tanh)):
                bound = [torch.zeros_like(pairs), pairs]
                expected = {0: torch.view_as_real(reference(numbers))}
                yield Run(f"{function}_complex_kernel", bound, expected, 4, types=(name, name))


@family("torch-strings", "native/mps/operations/BitwiseOps.mm")
def bitwise() -> Iterator[Run]:
    for name, dtype in (INTEGERS | {"bool": torch.bool}).items():
        a, b = torch.tensor([0, 1, 5, 12, 77]).to(dtype), torch.tensor([1, 3, 0, 2, 4]).to(dtype)
        functions = {"and": torch.bitwise_and, "or": torch.bitwise_or, "xor": torch.bitwise_xor}
        if dtype != torch.bool:
            shifts = {"lshift": torch.bitwise_left_shift, "rshift": torch.bitwise_right_shift}
            functions |= shifts
        # The grid may be more than the elements.
        for function, reference in functions.items():
            bound = [5, torch.zeros_like(a), a]
            types = (name, name, name)
            yield Run(f"bitwise_{function}_tensor", [*bound, b], {1: reference(a, b)}, 64, types=types)
            yield Run(
                f"bitwise_{function}_scalar", [*bound, b[1:2]], {1: reference(a, b[1])}, 64, types=types
            )
        if dtype != torch.bool:
            yield Run("bitwise_not", bound, {1: ~a}, 64, types=types)


@family("torch-strings", "mps/IndexKernels.h")
def views() -> Iterator[Run]:
    conversions = (("float", "half"), ("half", "float"), ("int", "float"), ("float", "bfloat"))
    every = DTYPES | INTEGERS
    for source, target in conversions:
        types = (source, target, f"static_cast<{target}>(x)")
        for shape in ((5,), (3, 4), (2, 3, 4), (2, 3, 2, 3), (2, 1, 3, 2, 2)):
            rank = len(shape)
            suffix = str(rank) if rank < 5 else "n"
            dense = torch.randint(-9, 9, shape).to(every[source])
            apart = torch.zeros((*shape[:-1], shape[-1] * 2), dtype=every[source])
            apart[..., ::2] = dense
            layout = [strides(shape).int(), strides(apart[..., ::2]).int()]
            layout += [dense.numel()] + ([rank] if rank == 5 else [])
            out = torch.zeros(shape, dtype=every[target])
            bound = [apart, out, *layout]
            yield Run(f"gather_kernel_{suffix}", bound, {1: dense.double()}, dense.numel(), types=types)
            out = torch.zeros(apart.shape, dtype=every[target])
            bound = [dense, out, *layout]
            yield Run(f"scatter_kernel_{suffix}", bound, {1: apart.double()}, dense.numel(), types=types)
