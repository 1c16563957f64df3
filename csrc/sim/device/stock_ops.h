// The overloads that stock torch has on MPS, read from torch's native_functions.yaml at build time
// (cmake/stock_ops.py).
#pragma once

#include <cstddef>

namespace mpsops::sim {

struct StockOp {
  const char* name;   // "add.Tensor"
  bool dense;         // has a kernel on the key MPS
  bool sparse;        // has a kernel on the key SparseMPS
  bool device_check;  // tensors must be on one device; otherwise CPU scalars may take part
  bool always_cpu;    // torch itself runs it on the CPU, with copies and a warning
};

extern const StockOp kStockOps[];
extern const size_t kStockOpCount;

}  // namespace mpsops::sim
