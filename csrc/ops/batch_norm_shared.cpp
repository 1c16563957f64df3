#include "csrc/ops/batch_norm.h"

#include <ATen/native/cpu/mixed_data_type.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <bit>
#include <limits>

namespace mpsops::batch_norm {

namespace {

constexpr uint32_t kThreads = 256;
constexpr int64_t kReducedPerThread = 16;
constexpr int64_t kWrittenPerThread = 8;
constexpr int64_t kMaxBlocks = 128;   // of a channel, in a reduction
constexpr int64_t kMaxGroups = 1024;  // of a reduction whose channels need more than one

// As (batch, channel, feature), where the dimensions after the channel are one run in memory.
bool set_strides(int64_t (&strides)[3], const at::Tensor& tensor) {
  strides[0] = tensor.stride(0);
  strides[1] = tensor.stride(1);
  strides[2] = 1;
  int64_t expected = -1;
  for (int64_t dim = tensor.dim() - 1; dim >= 2; --dim) {
    if (tensor.size(dim) == 1) {
      continue;
    }
    if (expected == -1) {
      strides[2] = tensor.stride(dim);
    } else if (tensor.stride(dim) != expected) {
      return false;
    }
    expected = tensor.stride(dim) * tensor.size(dim);
  }
  return true;
}

Grid make_grid(BatchNormParams& params, int64_t per_thread, int64_t max_groups,
               int64_t max_blocks) {
  const int64_t rows = kThreads / params.lanes;
  const int64_t tiles = (params.channels + params.lanes - 1) / params.lanes;
  const int64_t wanted = (params.elements + rows * per_thread - 1) / (rows * per_thread);
  const int64_t most = std::min(std::max<int64_t>(max_groups / tiles, 1), max_blocks);
  const int64_t blocks = std::min(wanted, most);
  params.slice = (params.elements + blocks - 1) / blocks;
  params.blocks = static_cast<uint32_t>(blocks);
  params.groups = static_cast<uint32_t>(tiles * blocks);
  return groups_for(params.groups, kThreads);
}

}  // namespace

at::Tensor add_operand(BatchNormParams& params, BatchNormOperand operand,
                       const at::Tensor& tensor) {
  if (set_strides(params.strides[operand], tensor)) {
    return tensor;
  }
  at::Tensor dense = tensor.contiguous();
  set_strides(params.strides[operand], dense);
  return dense;
}

// Channels lie side by side in a group where they do so in memory, or where runs of features are
// too short to fill a simdgroup.
BatchNormParams make_params(const at::Tensor& input, at::Tensor& dense) {
  constexpr int64_t kSimdgroup = 32;
  BatchNormParams params{};
  dense = add_operand(params, kBatchNormInput, input);
  params.channels = input.size(1);
  params.elements = input.numel() / std::max<int64_t>(params.channels, 1);
  params.features = params.elements / std::max<int64_t>(input.size(0), 1);
  params.narrow = params.elements <= std::numeric_limits<int32_t>::max() ? 1 : 0;
  const auto& strides = params.strides[kBatchNormInput];
  const bool channels_inside = strides[1] < strides[2] || params.features < kSimdgroup;
  params.lanes =
      channels_inside
          ? std::bit_ceil(static_cast<uint32_t>(std::min<int64_t>(params.channels, kSimdgroup)))
          : 1;
  return params;
}

Grid reduction_grid(BatchNormParams& params) {
  return make_grid(params, kReducedPerThread, kMaxGroups, kMaxBlocks);
}

Grid elementwise_grid(BatchNormParams& params) {
  constexpr auto kAny = std::numeric_limits<int64_t>::max();
  return make_grid(params, kWrittenPerThread, kAny, kAny);
}

at::Tensor make_partials(const BatchNormParams& params, int64_t width, const at::Tensor& like) {
  return params.blocks > 1
             ? at::empty({params.channels * params.blocks, width}, like.options().dtype(at::kFloat))
             : at::Tensor();
}

bool is_channels_last(const at::Tensor& tensor) {
  return tensor.is_contiguous(at::MemoryFormat::ChannelsLast) ||
         tensor.is_contiguous(at::MemoryFormat::ChannelsLast3d) ||
         (tensor.is_contiguous() && tensor.stride(1) == 1);
}

void check_type(const char* name, const at::Tensor& tensor, at::ScalarType expected) {
  TORCH_CHECK(!tensor.defined() || tensor.scalar_type() == expected, "Expected ", name,
              " to have type ", expected, " but got ", tensor.scalar_type());
}

void check_size(const char* op, const char* name, const at::Tensor& tensor, int64_t channels) {
  TORCH_CHECK(!tensor.defined() || (tensor.dim() == 1 && tensor.size(0) == channels), op, ": ",
              name, " must be of size [", channels, "], got ", tensor.sizes());
}

void check_statistics(const char* op, const at::Tensor& mean, const at::Tensor& invstd,
                      int64_t channels) {
  TORCH_CHECK(mean.dtype() == invstd.dtype(), "mean and invstd need to have the same data types");
  check_type("mean", mean, at::kFloat);
  check_size(op, "mean", mean, channels);
  check_size(op, "invstd", invstd, channels);
}

at::ScalarType parameter_dtype(const at::Tensor& input, const at::Tensor& weight,
                               const at::Tensor& bias) {
  const bool mixed = at::native::is_mixed_type(input, weight, bias);
  const auto dtype = mixed ? at::kFloat : input.scalar_type();
  check_type("weight", weight, dtype);
  check_type("bias", bias, dtype);
  return dtype;
}

}  // namespace mpsops::batch_norm
