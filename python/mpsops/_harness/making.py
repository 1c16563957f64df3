"""Inputs: made on the CPU from a seed, so that every provider gets the same, then moved."""

from dataclasses import dataclass, field

import torch


@dataclass
class Make:
    """Makes the tensors of one case.

    Attributes:
        device: where they are to be.
        dtype: of the values; what an op keeps in float32 whatever its input is asks for ``wide``.
    """

    device: str
    dtype: torch.dtype
    generator: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(0))

    @property
    def wide(self) -> torch.dtype:
        return torch.float32 if self.dtype in {torch.float16, torch.bfloat16} else self.dtype

    def normal(self, *shape: int, dtype: torch.dtype | None = None, grad: bool = False) -> torch.Tensor:
        """Standard normal; integers of -8 to 7, booleans, where the dtype is of those.

        With ``grad``, floating-point values require a gradient, so that backward ops are reached.
        """
        dtype = dtype or self.dtype
        if not (dtype.is_floating_point or dtype.is_complex):
            low, high = (0, 2) if dtype == torch.bool else (0, 16) if not dtype.is_signed else (-8, 8)
            return self.integers(low, high, *shape, dtype=dtype)
        drawn = torch.complex64 if dtype.is_complex else torch.float32
        placed = torch.randn(shape, generator=self.generator, dtype=drawn).to(dtype).to(self.device)
        return placed.requires_grad_(grad)

    def uniform(
        self,
        *shape: int,
        low: float = 0.0,
        high: float = 1.0,
        dtype: torch.dtype | None = None,
        grad: bool = False,
    ) -> torch.Tensor:
        drawn = torch.rand(shape, generator=self.generator) * (high - low) + low
        return drawn.to(dtype or self.dtype).to(self.device).requires_grad_(grad)

    def integers(self, low: int, high: int, *shape: int, dtype: torch.dtype = torch.int64) -> torch.Tensor:
        """From ``low`` to below ``high``."""
        drawn = torch.randint(low, high, shape, generator=self.generator)
        return drawn.to(dtype).to(self.device)

    def full(self, value: float, *shape: int, dtype: torch.dtype | None = None) -> torch.Tensor:
        return torch.full(shape, value, dtype=dtype or self.dtype, device=self.device)

    def offsets(self, segments: int, total: int) -> torch.Tensor:
        """Starts of ``segments`` pieces of uneven length of ``total`` elements, and the end."""
        cuts = self.integers(0, total + 1, segments - 1).sort().values if segments > 1 else None
        ends = torch.tensor([0, total], device=self.device)
        return ends if cuts is None else torch.cat([ends[:1], cuts, ends[1:]])
