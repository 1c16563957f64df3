// Kernels that move elements unchanged need to know no more than their size.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

namespace mpsops {

// The unsigned integer of an element's size: "uint16" in the name of a kernel for float16.
inline at::ScalarType bits_dtype(const at::Tensor& tensor) {
  switch (tensor.element_size()) {
    case 1:
      return at::kByte;
    case 2:
      return at::kUInt16;
    case 4:
      return at::kUInt32;
    default:
      TORCH_INTERNAL_ASSERT(tensor.element_size() == 8);
      return at::kUInt64;
  }
}

}  // namespace mpsops
