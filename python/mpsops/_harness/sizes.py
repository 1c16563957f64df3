"""The sizes that every op is measured in, as shapes of the kinds that ops take."""

from dataclasses import dataclass
from functools import cached_property
from math import prod

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Size:
    """One row of the grid: the same amount of data as rows, images or volumes.

    Attributes:
        name: ``tiny`` is bound by the launch, ``odd`` divides by nothing, ``batch`` has many small items.
        rows: (rows, columns).
        images: (batch, channels, height, width).
        volumes: (batch, channels, depth, height, width).
    """

    name: str
    rows: Shape
    images: Shape
    volumes: Shape

    @cached_property
    def elements(self) -> int:
        return prod(self.rows)

    def __str__(self) -> str:
        return self.name


SIZES = {
    size.name: size
    for size in (
        Size("tiny", (4, 32), (1, 4, 8, 8), (1, 4, 4, 4, 4)),
        Size("medium", (512, 512), (4, 16, 64, 64), (2, 8, 16, 32, 32)),
        Size("large", (4096, 4096), (16, 64, 128, 128), (4, 32, 32, 64, 64)),
        Size("odd", (509, 523), (3, 7, 101, 113), (3, 5, 17, 29, 31)),
        Size("batch", (65536, 16), (1024, 4, 16, 16), (512, 4, 8, 8, 8)),
    )
}
