// What the host tells the kernels of metal/logspace.metal.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

// A number in 2^-96: two's complement of 128 bits.
struct LogspaceFixed {
  int64_t high;
  uint64_t low;
};

// start + i * step in the first half, end - (steps - 1 - i) * step in the second.
struct LogspaceLine {
  LogspaceFixed start;
  LogspaceFixed end;
  LogspaceFixed step;
};

enum LogspaceKind : uint32_t {
  kLogspacePower = 0,     // 2^exponent
  kLogspaceNegative = 1,  // with the sign of base^x, NaN unless x is whole
  kLogspacePlain = 2,     // pow(base, x): what base 0, inf or NaN, and ends not finite come to
};

struct LogspaceParams {
  LogspaceLine exponent;  // x log2|base|; complex: of the absolute value
  LogspaceLine x;         // complex: the argument, in half turns
  int64_t steps;
  float start;  // kLogspacePlain
  float end;
  float base;
  uint32_t kind;
  uint32_t finite;  // kLogspacePlain: x is a line
};
