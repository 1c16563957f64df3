#include "csrc/core/strided.h"

#include <c10/util/Exception.h>

#include <iterator>

namespace mpsops {

StridedShape strided_shape(at::IntArrayRef sizes, at::IntArrayRef strides) {
  StridedShape shape{};
  for (size_t dim = 0; dim < sizes.size(); ++dim) {
    const int64_t size = sizes[dim];
    const int64_t stride = strides[dim];
    if (size == 1) {
      continue;
    }
    const int64_t last = shape.ndim - 1;
    if (last >= 0 && shape.strides[last] == size * stride) {
      shape.sizes[last] *= size;
      shape.strides[last] = stride;
      continue;
    }
    TORCH_CHECK(shape.ndim < static_cast<int64_t>(std::size(shape.sizes)),
                "mpsops: tensor must have at most 16 dimensions, got sizes ", sizes);
    shape.sizes[shape.ndim] = size;
    shape.strides[shape.ndim] = stride;
    ++shape.ndim;
  }
  return shape;
}

StridedShape strided_shape_without(const at::Tensor& tensor, int64_t excluded) {
  c10::DimVector sizes(tensor.sizes());
  c10::DimVector strides(tensor.strides());
  if (excluded >= 0 && excluded < tensor.dim()) {
    sizes.erase(sizes.begin() + excluded);
    strides.erase(strides.begin() + excluded);
  }
  return strided_shape(sizes, strides);
}

}  // namespace mpsops
