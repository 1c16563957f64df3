// query = (qkv[..., :D] + bias[:D]) * scale, key and value the second and third D features with
// their bias, each as (batch, head, token, feature of the head). Threads lie over the features of
// qkv and its tokens: both sides are read and written along a head's features. One dispatch, each
// element read and written once.
#include <metal_stdlib>

#include "metal/common/instantiate.h"
#include "metal/params/transform_bias_rescale_qkv.h"

using namespace metal;

// Index is uint where there are fewer than 2^31 tokens.
template <typename T, typename Index>
kernel void transform_bias_rescale_qkv(device T* query [[buffer(0)]], device T* key [[buffer(1)]],
                                       device T* value [[buffer(2)]],
                                       device const T* qkv [[buffer(3)]],
                                       device const T* bias [[buffer(4)]],
                                       constant TransformBiasRescaleQkvParams& params [[buffer(5)]],
                                       uint2 position [[thread_position_in_grid]],
                                       uint2 grid [[threads_per_grid]]) {
  const uint part = position.x / params.features;
  const uint feature = position.x - part * params.features;
  const uint head = feature / params.head;
  const uint offset = feature - head * params.head;
  const uint heads = params.features / params.head;
  device T* output = part == 0 ? query : part == 1 ? key : value;
  const float scale = part == 0 ? params.scale : 1.0f;
  const float shift = float(bias[position.x * params.bias_stride]);
  // The grid has 2^16 rows of tokens at most.
  for (Index token = position.y; token < Index(params.tokens); token += grid.y) {
    const Index batch_index = token / Index(params.length);
    const long batch = long(batch_index);
    const long place = long(token - batch_index * Index(params.length));
    const float x = float(
        qkv[batch * params.stride[0] + place * params.stride[1] + position.x * params.stride[2]]);
    output[((batch * heads + head) * params.length + place) * params.head + offset] =
        T((x + shift) * scale);
  }
}

INSTANTIATE_FLOATING_WITH("transform_bias_rescale_qkv", transform_bias_rescale_qkv, uint)
INSTANTIATE_FLOATING_WITH("transform_bias_rescale_qkv_wide", transform_bias_rescale_qkv, ulong)
