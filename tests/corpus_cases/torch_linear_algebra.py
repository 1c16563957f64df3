"""PyTorch 2.7: the three steps of a blocked Cholesky factorisation, by rows and by columns."""

from collections.abc import Iterator

import torch
from kernel_corpus import Run, family

BLOCK = 32


def _definite(size: int) -> torch.Tensor:
    root = torch.randn(size, size)
    return root @ root.T / size + torch.eye(size)


@family("torch", "LinearAlgebra.metal", fits="factorDiagonalBlock")
def cholesky() -> Iterator[Run]:
    for size in (48, 44):  # the second has no whole matrices of 8 by 8
        rest = slice(BLOCK, size)
        a = _definite(size)
        wide = a.double()
        factor = torch.linalg.cholesky(wide[:BLOCK, :BLOCK])
        factored = wide.clone()
        factored[:BLOCK, :BLOCK] = factor.tril() + wide[:BLOCK, :BLOCK].triu(1)
        solved = factored.clone()
        below = torch.linalg.solve_triangular(factor, wide[rest, :BLOCK].T, upper=False).T
        solved[rest, :BLOCK] = below
        updated = solved.clone()
        product = below @ below.T
        if size % 8:
            product = product.tril()
        else:
            product[:8, 8:] = 0
        updated[rest, rest] -= product
        for suffix, stored in (("U", lambda x: x), ("L", lambda x: x.T.contiguous())):
            info = torch.zeros(1, dtype=torch.int32)
            steps = (
                ("factorDiagonalBlock", a, info, factored),
                ("applyTRSM", factored.float(), None, solved),
                ("applySYRK", solved.float(), None, updated),
            )
            for kernel, before, second, after in steps:
                bound = [stored(before), second, size, BLOCK, 0]
                expected = {0: stored(after)}
                yield Run(f"{kernel}{suffix}", bound, expected, (1, 1, 1), (32, 8, 1), groups=True)
