#include "csrc/core/channels.h"

#include <algorithm>
#include <bit>

namespace mpsops {

namespace {

constexpr int64_t kMaxThreads = 256;
// What a group reads: a small channel takes one group, hence one dispatch.
constexpr int64_t kElementsPerGroup = 8192;
constexpr int64_t kMaxSplits = 256;
constexpr int64_t kElementsPerThread = 4;

}  // namespace

Channels make_channels(std::initializer_list<at::Tensor> tensors, std::optional<int64_t> axis) {
  Channels result;
  ChannelsParams& params = result.params;
  TORCH_INTERNAL_ASSERT(tensors.size() <= std::extent_v<decltype(ChannelsParams::strides)>);
  params.channels = axis.has_value() ? tensors.begin()->size(*axis) : 1;

  at::TensorIteratorConfig config;
  config.check_all_same_dtype(false);
  int operand = 0;
  for (const at::Tensor& tensor : tensors) {
    params.strides[operand++] = axis.has_value() ? tensor.stride(*axis) : 0;
    config.add_owned_const_input(axis.has_value() ? tensor.select(*axis, 0) : tensor);
  }
  at::TensorIterator iterator = config.build();
  result.walk = detail::walk_of(iterator);

  const int64_t count = iterator.numel();
  const int64_t threads = std::clamp<int64_t>(
      static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(count / kElementsPerThread + 1))),
      32, kMaxThreads);
  // Many channels fill the device without being split.
  const int64_t wanted = (count + kElementsPerGroup - 1) / kElementsPerGroup;
  params.splits = static_cast<uint32_t>(
      std::clamp<int64_t>(wanted, 1, std::max<int64_t>(kMaxSplits / params.channels, 1)));
  result.groups = groups_for(params.channels * params.splits, static_cast<uint32_t>(threads));
  return result;
}

}  // namespace mpsops
