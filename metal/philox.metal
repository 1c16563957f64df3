// _philox_key_split, _philox_key_fold_in: new keys from the blocks that a key addresses, one thread
// per key. _philox_uniform_, _philox_normal_: numbers that depend on key and position only, one
// thread per block of four. One dispatch, each key read once per block, each output written once.
//
// Philox 4x32 with 10 rounds (Salmon et al. 2011): the words of seed and offset, low before high,
// are key and counter, as in torch's CUDA kernels, whose numbers these are.
#include <c10/metal/random.h>
#include <metal_stdlib>

#include "metal/common/index.h"
#include "metal/common/instantiate.h"
#include "metal/common/strided.h"
#include "metal/params/philox.h"

inline uint4 philox_block(ulong seed, ulong offset) {
  uint4 counter = uint4(uint(offset), uint(offset >> 32), 0, 0);
  uint2 key = uint2(uint(seed), uint(seed >> 32));
  for (uint round = 0; round < 10; ++round) {
    counter = c10::metal::philox4::single_round(counter, key);
    key += uint2(0x9e3779b9u, 0xbb67ae85u);
  }
  return counter;
}

// A template, as INSTANTIATE wants it.
template <class Word>
[[kernel]] void philox_derive(device Word* output [[buffer(0)]],
                              device const Word* input [[buffer(1)]],
                              constant PhiloxDeriveParams& params [[buffer(2)]],
                              uint2 position [[thread_position_in_grid]],
                              uint2 grid [[threads_per_grid]]) {
  const ulong index = linear_index(position, grid);
  const ulong split = index / ulong(params.keys);
  if (split >= ulong(params.splits)) {
    return;
  }
  const ulong key = index - split * ulong(params.keys);
  const long from = strided_offset(key, params.input);
  const uint4 words =
      philox_block(input[from], input[from + params.input_stride] + ulong(params.first) + split);
  const long to = long(split) * params.split_stride + strided_offset(key, params.output);
  output[to] = ulong(words.x) | (ulong(words.y) << 32);
  output[to + params.output_stride] = ulong(words.z) | (ulong(words.w) << 32);
}

// The bits of `T` that at::transformation::uniform_real() keeps.
template <class T>
struct Digits;
template <>
struct Digits<float> {
  static constant constexpr uint value = 24;
};
template <>
struct Digits<half> {
  static constant constexpr uint value = 11;
};
#ifndef MPSOPS_NO_BFLOAT
template <>
struct Digits<bfloat> {
  static constant constexpr uint value = 8;
};
#endif

template <class T>
struct PhiloxUniform {
  float4 operator()(uint4 words) const {
    constexpr uint count = uint(1) << Digits<T>::value;
    return float4(words & uint4(count - 1)) * (1.0f / float(count));
  }
};

// Box and Muller, of numbers in (0, 1].
template <class T>
struct PhiloxNormal {
  float4 operator()(uint4 words) const {
    const float4 u = metal::fma(float4(words), float4(2.32830644e-10f), float4(1.16415322e-10f));
    const float2 radius = metal::precise::sqrt(-2.0f * metal::precise::log(u.xz));
    const float2 angle = 6.28318531f * u.yw;
    const float2 cosine = metal::precise::cos(angle);
    const float2 sine = metal::precise::sin(angle);
    return float4(radius.x * cosine.x, radius.x * sine.x, radius.y * cosine.y, radius.y * sine.y);
  }
};

template <class T, class Distribution>
[[kernel]] void philox_fill(device T* output [[buffer(0)]], device const ulong* keys [[buffer(1)]],
                            constant PhiloxFillParams& params [[buffer(2)]],
                            uint2 position [[thread_position_in_grid]],
                            uint2 grid [[threads_per_grid]]) {
  const ulong index = linear_index(position, grid);
  const ulong key = index / ulong(params.blocks);
  if (key >= ulong(params.key_count)) {
    return;
  }
  const ulong block = index - key * ulong(params.blocks);
  const long at = strided_offset(key, params.keys);
  const uint4 words = philox_block(keys[at], keys[at + params.key_stride] + block);
  const float4 values =
      metal::fma(Distribution()(words), float4(params.scale), float4(params.shift));
  const ulong first = block * 4;
  for (uint i = 0; i < 4 && first + i < ulong(params.elements); ++i) {
    output[strided_offset(key * ulong(params.elements) + first + i, params.output)] = T(values[i]);
  }
}

INSTANTIATE("philox_derive", philox_derive, ulong)
INSTANTIATE("philox_uniform_float32", philox_fill, float, PhiloxUniform<float>)
INSTANTIATE("philox_uniform_float16", philox_fill, half, PhiloxUniform<half>)
INSTANTIATE_BFLOAT("philox_uniform_bfloat16", philox_fill, bfloat, PhiloxUniform<bfloat>)
INSTANTIATE("philox_normal_float32", philox_fill, float, PhiloxNormal<float>)
INSTANTIATE("philox_normal_float16", philox_fill, half, PhiloxNormal<half>)
INSTANTIATE_BFLOAT("philox_normal_bfloat16", philox_fill, bfloat, PhiloxNormal<bfloat>)
