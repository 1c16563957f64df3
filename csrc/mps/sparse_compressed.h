// CSR, CSC, BSR and BSC tensors on any device. Torch's own constructor knows no MPS.
#pragma once

#include <ATen/core/Tensor.h>

namespace mpsops {

bool is_compressed(const at::Tensor& tensor);

struct CompressedParts {
  at::Tensor compressed_indices;
  at::Tensor plain_indices;
  at::Tensor values;
};

CompressedParts parts_of(const at::Tensor& compressed);

// On the device of the values; the parts become its members.
at::Tensor make_compressed(const CompressedParts& parts, at::IntArrayRef size, at::Layout layout);

void replace_parts(const at::Tensor& compressed, const CompressedParts& parts,
                   at::IntArrayRef size);

}  // namespace mpsops
