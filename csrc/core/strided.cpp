#include "csrc/core/strided.h"

#include <c10/util/Exception.h>

#include <iterator>

namespace mpsops {

StridedShape strided_shape_without(const at::Tensor& tensor, int64_t excluded) {
  StridedShape shape{};
  for (int64_t dim = 0; dim < tensor.dim(); ++dim) {
    const int64_t size = tensor.size(dim);
    const int64_t stride = tensor.stride(dim);
    if (dim == excluded || size == 1) {
      continue;
    }
    const int64_t last = shape.ndim - 1;
    if (last >= 0 && shape.strides[last] == size * stride) {
      shape.sizes[last] *= size;
      shape.strides[last] = stride;
      continue;
    }
    TORCH_CHECK(shape.ndim < static_cast<int64_t>(std::size(shape.sizes)),
                "mpsops: tensor must have at most 16 dimensions, got sizes ", tensor.sizes());
    shape.sizes[shape.ndim] = size;
    shape.strides[shape.ndim] = stride;
    ++shape.ndim;
  }
  return shape;
}

}  // namespace mpsops
