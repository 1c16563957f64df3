// Linear positions in grids made by grid_for() and groups_for() of csrc/core/kernel.h.
#pragma once
#include <metal_stdlib>

// Grids above 2^31 elements are 2-D, because positions are 32-bit per axis.
inline ulong linear_index(uint2 position, uint2 grid) {
  return ulong(position.y) * grid.x + position.x;
}

// GPUs divide 64-bit integers in software: most are small enough not to.
inline ulong quotient(ulong dividend, ulong divisor) {
  return ((dividend | divisor) >> 32) == 0 ? ulong(uint(dividend) / uint(divisor))
                                           : dividend / divisor;
}
