// Checks that several ops share, with the CPU kernel's exception classes and texts.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

namespace mpsops {

// As AT_DISPATCH_*: NotImplementedError '"<name>" not implemented for 'Half''.
inline void check_dtype(const char* name, at::ScalarType dtype,
                        std::initializer_list<at::ScalarType> allowed) {
  for (const auto candidate : allowed) {
    if (dtype == candidate) {
      return;
    }
  }
  TORCH_CHECK_NOT_IMPLEMENTED(false, '"', name, "\" not implemented for '", toString(dtype), "'");
}

}  // namespace mpsops
