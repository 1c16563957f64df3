// What the parts of batch_norm share on the host: how they see tensors, how they split the work,
// and the checks of CUDA's kernels.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "csrc/core/kernel.h"
#include "metal/params/batch_norm.h"

namespace mpsops::batch_norm {

// Strides of `tensor` as (batch, channel, feature) into `params`. Returns the tensor that has them:
// `tensor`, or a contiguous copy where the dimensions after the channel are no single run.
at::Tensor add_operand(BatchNormParams& params, BatchNormOperand operand, const at::Tensor& tensor);

// Sizes and strides of `input`; `dense` becomes what add_operand() returned for it.
BatchNormParams make_params(const at::Tensor& input, at::Tensor& dense);

// The grids complete `params`. Not of an empty input.
Grid reduction_grid(BatchNormParams& params);
Grid elementwise_grid(BatchNormParams& params);

// What the blocks of a reduction leave for its second dispatch, `width` floats each; undefined
// where one block does it all.
at::Tensor make_partials(const BatchNormParams& params, int64_t width, const at::Tensor& like);

// Whether CUDA's channels-last kernels would be used.
bool is_channels_last(const at::Tensor& tensor);

// As CUDA's accessors. Undefined tensors pass, here and below.
void check_type(const char* name, const at::Tensor& tensor, at::ScalarType expected);

// One value for each channel. CUDA's kernels would read or write past shorter ones.
void check_size(const char* op, const char* name, const at::Tensor& tensor, int64_t channels);

void check_statistics(const char* op, const at::Tensor& mean, const at::Tensor& invstd,
                      int64_t channels);

// The dtype of weight and bias: the input's, or float where one of them differs from it.
at::ScalarType parameter_dtype(const at::Tensor& input, const at::Tensor& weight,
                               const at::Tensor& bias = {});

inline uint32_t flag_if(bool condition, BatchNormGiven flag) {
  return condition ? static_cast<uint32_t>(flag) : 0;
}

// Any tensor, for an argument that the kernel leaves alone: Metal wants a buffer at every index.
inline const at::Tensor& or_else(const at::Tensor& tensor, const at::Tensor& other) {
  return tensor.defined() ? tensor : other;
}

inline at::Tensor contiguous(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.contiguous() : tensor;
}

}  // namespace mpsops::batch_norm
