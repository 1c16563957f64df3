// Reductions over each channel of some tensors: host side of metal/common/channels.h.
#pragma once

#include <ATen/core/Tensor.h>

#include <initializer_list>
#include <optional>

#include "csrc/core/elementwise.h"
#include "csrc/core/kernel.h"
#include "metal/params/channels.h"

namespace mpsops {

struct Channels {
  ChannelsParams params{};
  detail::ElementwiseWalk walk;  // of one channel
  Grid groups;                   // channel by channel
};

// How a kernel walks `tensors`, at least one element of any dtypes and strides but of one shape,
// channel by channel: along `axis`, or as a single channel. With `splits` above 1 each group has a
// partial result, and a second dispatch has to combine them.
Channels make_channels(std::initializer_list<at::Tensor> tensors, std::optional<int64_t> axis);

}  // namespace mpsops
