// What the two margin losses check and compute alike on the host.
#pragma once

#include <ATen/core/Reduction.h>
#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <cstdint>
#include <limits>

namespace mpsops {

// The input as a matrix: a vector is one row, a 0-d tensor one element.
struct MarginLossSizes {
  int64_t rows;
  int64_t columns;
};

inline MarginLossSizes margin_loss_sizes(const at::Tensor& self) {
  const int64_t dims = self.dim();
  TORCH_CHECK(dims == 0 || (dims <= 2 && self.size(-1) != 0),
              "Expected non-empty vector or matrix with optional 0-dim batch size, but got: ",
              self.sizes());
  return {dims == 2 ? self.size(0) : 1, dims == 0 ? 1 : self.size(-1)};
}

// Strides of a 0-d, 1-d or 2-d tensor, as those of a matrix.
inline void set_matrix_strides(int64_t (&strides)[2], const at::Tensor& tensor) {
  strides[0] = tensor.dim() == 2 ? tensor.stride(0) : 0;
  strides[1] = tensor.dim() >= 1 ? tensor.stride(-1) : 0;
}

// What the loss is divided by, and what one term adds to a gradient.
template <class Params>
void set_margin_loss_scale(Params& params, const MarginLossSizes& sizes, int64_t reduction) {
  const bool mean = reduction == at::Reduction::Mean;
  params.divisor =
      static_cast<float>(sizes.columns) * (mean ? static_cast<float>(sizes.rows) : 1.0f);
  params.gradient = static_cast<float>(
      1.0 / (static_cast<double>(sizes.columns) * (mean ? static_cast<double>(sizes.rows) : 1.0)));
}

// Of no rows. The CPU kernel leaves the value unwritten here.
inline float empty_margin_loss(int64_t reduction) {
  return reduction == at::Reduction::Mean ? std::numeric_limits<float>::quiet_NaN() : 0.0f;
}

}  // namespace mpsops
