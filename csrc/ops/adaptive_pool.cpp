#include "csrc/ops/adaptive_pool.h"

#include <algorithm>

namespace mpsops {

c10::SmallVector<int64_t, 5> adaptive_pool_sizes(const char* op, const at::Tensor& input,
                                                 at::IntArrayRef output_size) {
  for (const auto size : output_size) {
    TORCH_CHECK(size >= 0, op,
                ": elements of output_size must be greater than or equal to 0 but received ",
                output_size);
  }
  c10::SmallVector<int64_t, 5> sizes(input.sizes().begin(), input.sizes().end());
  std::copy(output_size.begin(), output_size.end(),
            sizes.end() - static_cast<int64_t>(output_size.size()));
  return sizes;
}

void check_not_empty_from(int64_t first_dim, const char* op, const char* what,
                          const at::Tensor& tensor) {
  for (int64_t dim = first_dim; dim < tensor.dim(); ++dim) {
    TORCH_CHECK(tensor.size(dim) > 0, op, "(): Expected ", what,
                " to have non-zero size for non-batch dimensions, but ", what, " has sizes ",
                tensor.sizes(), " with dimension ", dim, " being empty");
  }
}

}  // namespace mpsops
