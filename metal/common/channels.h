// Reductions of each channel of a tensor, whatever its layout: `splits` threadgroups share a
// channel, and neighbouring threads take neighbouring elements of it. A tensor that is reduced as a
// whole is one channel. Host side: csrc/core/channels.h.
#pragma once
#include <metal_stdlib>

#include "metal/common/elementwise.h"
#include "metal/params/channels.h"

// The elements first, first + step, ... of the channel are this thread's.
struct ChannelPart {
  ulong channel;
  ulong first;
  ulong step;
};

inline ChannelPart channel_part(ulong group, uint thread_index, uint threads,
                                constant ChannelsParams& channels) {
  ChannelPart part;
  part.channel = group / channels.splits;
  part.first = (group - part.channel * channels.splits) * threads + thread_index;
  part.step = ulong(channels.splits) * threads;
  return part;
}

// Offsets of element `index` of a channel in each operand.
template <uint Operands>
inline void channel_offsets(ChannelPart part, ulong index, constant ChannelsParams& channels,
                            constant ElementwiseParams& params, constant long* layout,
                            thread ulong* offsets) {
  operand_offsets<Operands>(index, params, layout, offsets);
  for (uint operand = 0; operand < Operands; ++operand) {
    offsets[operand] += part.channel * ulong(channels.strides[operand]);
  }
}
