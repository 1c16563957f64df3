// The overloads that stock torch has on MPS, read from torch's native_functions.yaml at build time.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mpsops::sim {

struct StockOp {
  const char* name;   // "add.Tensor"
  bool device_check;  // the generated wrapper compares devices, TensorIterator does not
  bool seeded;        // draws random numbers
};

extern const StockOp kStockOps[];  // on the key MPS
extern const size_t kStockOpCount;

}  // namespace mpsops::sim
