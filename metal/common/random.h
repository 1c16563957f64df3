// Numbers for samplers that draw as many as they happen to need. Element i of a call has the block
// counter offset + i to itself, and the call takes that many from the generator, one per element.
// The counter has a second half, 0 in torch's own kernels, that numbers the element's blocks: what
// an element gets depends on seed, offset and i only, and no two elements or calls share numbers.
#pragma once
#include <c10/metal/random.h>
#include <metal_stdlib>

#include "metal/params/random.h"

struct PhiloxStream {
  uint4 counter;
  uint2 key;
  uint4 words;
  uint left;  // of `words`
};

inline PhiloxStream philox_stream(constant PhiloxParams& params, ulong index) {
  PhiloxStream stream;
  stream.counter = uint4(0);
  stream.counter.zw = c10::metal::detail::splitlong(ulong(params.offset) + index);
  stream.key = c10::metal::detail::splitlong(ulong(params.seed));
  stream.words = uint4(0);
  stream.left = 0;
  return stream;
}

inline uint next_word(thread PhiloxStream& stream) {
  if (stream.left == 0) {
    stream.words = c10::metal::philox4::multiple_rounds(stream.counter, stream.key, 10);
    stream.counter.x += 1;
    stream.left = 4;
  }
  const uint word = stream.words.x;
  stream.words = stream.words.yzwx;
  stream.left -= 1;
  return word;
}

// In (0, 1], near 0 to 2^-33.
inline float next_uniform(thread PhiloxStream& stream) {
  return (float(next_word(stream)) + 0.5f) * 2.32830644e-10f;
}

// In [0, 1], to 24 bits also where it is small: from 64 bits.
inline float next_fine_uniform(thread PhiloxStream& stream) {
  const ulong high = next_word(stream);
  return float((high << 32) | next_word(stream)) * 5.42101086e-20f;
}

// Uniform in [-1/2, 1/2), and its distance from the nearer end, to 24 bits both.
struct CenteredUniform {
  float value;
  float margin;
};

inline CenteredUniform next_centered_uniform(thread PhiloxStream& stream) {
  const int word = int(next_word(stream));
  const uint magnitude = word < 0 ? ~uint(word) + 1 : uint(word);
  CenteredUniform u;
  u.value = float(word) * 2.32830644e-10f;
  u.margin = float(0x80000000u - magnitude) * 2.32830644e-10f;
  return u;
}
