// What kernels that reduce the channels of a tensor (metal/common/channels.h) are told by
// csrc/core/channels.h, beside the ElementwiseParams and the layout of one channel.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

struct ChannelsParams {
  int64_t channels;
  int64_t strides[4];  // from one channel to the next, of each operand, in elements
  uint32_t splits;     // threadgroups that share a channel
};
