// Error bits that kernels report to the host: see csrc/core/device_flag.h.
#pragma once
#include <metal_stdlib>

inline void raise_flag(device metal::atomic_uint* flag, uint bits) {
  metal::atomic_fetch_or_explicit(flag, bits, metal::memory_order_relaxed);
}
