// hash_tensor: exclusive or over dimensions of the 64-bit patterns of elements: of integers,
// extended by their sign; of floats, as doubles. Metal has no double, so they are widened bit by
// bit. One dispatch, every element read once; the order does not matter.
//   rows     where the elements of an output lie closest together: a simdgroup reads them;
//   columns  where neighbouring outputs do: a thread per output.
// With few outputs, several of these share one and combine what they found in its two halves: the
// host zeroes the output first.
#include <metal_stdlib>

#include "metal/common/index.h"
#include "metal/common/instantiate.h"
#include "metal/common/strided.h"
#include "metal/params/hash_tensor.h"

using namespace metal;

// As the conversion to double of every CPU: exact, a signaling NaN becomes a quiet one.
template <uint ExponentBits, uint MantissaBits>
inline ulong bits_as_double(uint bits) {
  const uint largest = (1u << ExponentBits) - 1;
  const uint mask = (1u << MantissaBits) - 1;
  const ulong sign = ulong(bits >> (ExponentBits + MantissaBits)) << 63;
  int exponent = int((bits >> MantissaBits) & largest);
  uint mantissa = bits & mask;
  if (exponent == int(largest)) {
    const ulong quiet = mantissa != 0 ? 1ul << 51 : 0ul;
    return sign | (0x7fful << 52) | quiet | (ulong(mantissa) << (52 - MantissaBits));
  }
  if (exponent == 0) {
    if (mantissa == 0) {
      return sign;
    }
    const uint shift = uint(clz(mantissa)) - (31 - MantissaBits);
    mantissa = (mantissa << shift) & mask;
    exponent = 1 - int(shift);
  }
  const int bias = (1 << (ExponentBits - 1)) - 1;
  return sign | (ulong(exponent - bias + 1023) << 52) | (ulong(mantissa) << (52 - MantissaBits));
}

struct HashFloat32 {
  using Element = uint;
  static ulong pattern(uint value) { return bits_as_double<8, 23>(value); }
};

struct HashFloat16 {
  using Element = ushort;
  static ulong pattern(ushort value) { return bits_as_double<5, 10>(value); }
};

struct HashBFloat16 {
  using Element = ushort;
  static ulong pattern(ushort value) { return bits_as_double<8, 7>(value); }
};

template <class T>
struct HashInteger {
  using Element = T;
  static ulong pattern(T value) { return ulong(long(value)); }
};

// `output` has two words for each element, the lower first.
inline void combine_hash(device atomic_uint* output, ulong index, uint low, uint high, long parts) {
  device atomic_uint* words = output + 2 * index;
  if (parts == 1) {
    atomic_store_explicit(words, low, memory_order_relaxed);
    atomic_store_explicit(words + 1, high, memory_order_relaxed);
  } else {
    atomic_fetch_xor_explicit(words, low, memory_order_relaxed);
    atomic_fetch_xor_explicit(words + 1, high, memory_order_relaxed);
  }
}

// The elements of one part, `step` apart from `first` on.
template <class Hash>
inline ulong hash_part(device const typename Hash::Element* self, ulong output, long part,
                       uint first, uint step, constant HashTensorParams& params) {
  using Element = typename Hash::Element;
  const long base = strided_offset(output, params.kept);
  const long begin = part * params.chunk;
  const long end = min(begin + params.chunk, long(params.length));
  ulong hash = 0;
  long i = begin + first;
  if (params.reduced.ndim == 1) {
    // Several loads in flight.
    device const Element* elements = self + base;
    const long stride = params.reduced.strides[0];
    for (; i + 3 * long(step) < end; i += 4 * long(step)) {
      Element values[4];
      for (uint k = 0; k < 4; ++k) {
        values[k] = elements[(i + long(k * step)) * stride];
      }
      for (uint k = 0; k < 4; ++k) {
        hash ^= Hash::pattern(values[k]);
      }
    }
  }
  for (; i < end; i += step) {
    hash ^= Hash::pattern(self[base + strided_offset(ulong(i), params.reduced)]);
  }
  return hash;
}

template <class Hash>
[[kernel]] void hash_columns(device atomic_uint* output [[buffer(0)]],
                             device const typename Hash::Element* self [[buffer(1)]],
                             constant HashTensorParams& params [[buffer(2)]],
                             uint2 position [[thread_position_in_grid]],
                             uint2 grid [[threads_per_grid]]) {
  const ulong index = linear_index(position, grid);
  const ulong part = quotient(index, ulong(params.outputs));
  if (part >= ulong(params.parts)) {
    return;
  }
  const ulong found = index - part * ulong(params.outputs);
  const ulong hash = hash_part<Hash>(self, found, long(part), 0, 1, params);
  combine_hash(output, found, uint(hash), uint(hash >> 32), params.parts);
}

template <class Hash>
[[kernel]] void hash_rows(device atomic_uint* output [[buffer(0)]],
                          device const typename Hash::Element* self [[buffer(1)]],
                          constant HashTensorParams& params [[buffer(2)]],
                          uint2 group [[threadgroup_position_in_grid]],
                          uint2 groups [[threadgroups_per_grid]],
                          uint simdgroup [[simdgroup_index_in_threadgroup]],
                          uint simdgroups [[simdgroups_per_threadgroup]],
                          uint lane [[thread_index_in_simdgroup]]) {
  const ulong index = linear_index(group, groups) * simdgroups + simdgroup;
  const ulong found = quotient(index, ulong(params.parts));
  if (found >= ulong(params.outputs)) {
    return;
  }
  const ulong part = index - found * ulong(params.parts);
  const ulong hash = hash_part<Hash>(self, found, long(part), lane, 32, params);
  const uint low = simd_xor(uint(hash));
  const uint high = simd_xor(uint(hash >> 32));
  if (lane == 0) {
    combine_hash(output, found, low, high, params.parts);
  }
}

#define HASH_TENSOR(dtype, Hash)                         \
  INSTANTIATE("hash_columns_" dtype, hash_columns, Hash) \
  INSTANTIATE("hash_rows_" dtype, hash_rows, Hash)

HASH_TENSOR("float32", HashFloat32)
HASH_TENSOR("float16", HashFloat16)
HASH_TENSOR("bfloat16", HashBFloat16)
HASH_TENSOR("int64", HashInteger<long>)
HASH_TENSOR("int32", HashInteger<int>)
HASH_TENSOR("int16", HashInteger<short>)
HASH_TENSOR("int8", HashInteger<char>)
HASH_TENSOR("uint8", HashInteger<uchar>)
HASH_TENSOR("bool", HashInteger<bool>)
