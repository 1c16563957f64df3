// Linear positions in grids made by grid_for() and groups_for() of csrc/core/kernel.h.
#pragma once
#include <metal_stdlib>

// Grids above 2^31 elements are 2-D, because positions are 32-bit per axis.
inline ulong linear_index(uint2 position, uint2 grid) {
  return ulong(position.y) * grid.x + position.x;
}
