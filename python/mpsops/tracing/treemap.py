"""Squarified treemap (Bruls, Huizing, van Wijk, 2000): areas in proportion, near to squares."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    x: float
    y: float
    width: float
    height: float


def _worst(row: Sequence[float], side: float) -> float:
    """The largest ratio of sides if these areas share a strip along `side`."""
    breadth = sum(row) / side
    return max(max(breadth * breadth / area, area / (breadth * breadth)) for area in row)


def squarify(values: Sequence[float], box: Box) -> list[Box]:
    """A box for each value inside `box`; values are above zero, the largest first."""
    whole = sum(values)
    if not values or whole <= 0:
        return []
    areas = [value / whole * box.width * box.height for value in values]
    boxes: list[Box] = []
    while areas:
        side = min(box.width, box.height)
        count = 1
        while count < len(areas) and _worst(areas[: count + 1], side) <= _worst(areas[:count], side):
            count += 1
        row, areas = areas[:count], areas[count:]
        breadth = sum(row) / side
        along = 0.0
        for area in row:
            length = area / breadth
            if box.width >= box.height:
                boxes.append(Box(box.x, box.y + along, breadth, length))
            else:
                boxes.append(Box(box.x + along, box.y, length, breadth))
            along += length
        if box.width >= box.height:
            box = Box(box.x + breadth, box.y, box.width - breadth, box.height)
        else:
            box = Box(box.x, box.y + breadth, box.width, box.height - breadth)
    return boxes
