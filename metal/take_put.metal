// take: elements of self by their row-major positions. One dispatch, a thread per 1 or 4 elements
// of index; elements are moved as bits, so one kernel serves all dtypes of a size.
//
// put_: the reverse. What several elements of source do to one of self is decided without regard
// to the order of threads. Threads look their index up in a hash table of positions in index;
// whoever finds it missing stands for it from then on.
//   replace    the last of them wins, as in a loop: the table keeps the largest position. Two
//              dispatches, the second writes.
//   integers   sums are exact in any order: added to a 64-bit sum per index. Two dispatches.
//   floats     sums in fixed point, hence exact in any order, too: in units 2^-40 of the largest
//              addend, rounded once at the end. The first dispatch finds the largest exponents, the
//              second adds, the third rounds and writes. An index that occurs once is a plain float
//              addition, as on the CPU.
// Scratch for an element of index is at most 20 bytes, for sums of integers 28, of floats 36, of
// complex numbers 52; none depends on the size of self.
#include "metal/common/device_flag.h"
#include "metal/common/elementwise.h"
#include "metal/common/strided.h"
#include "metal/params/take_put.h"

using namespace metal;

constant constexpr uint kNoSlot = 0xffffffffu;

// Counts negative positions from the end; false where there is no such element.
inline bool wrap_position(long position, long elements, thread ulong& wrapped) {
  wrapped = ulong(position < 0 ? position + elements : position);
  return position >= -elements && position < elements;
}

template <class T>
inline T take_element(device const T* self, long position, device atomic_uint* flag,
                      constant TakePutParams& params) {
  ulong wrapped;
  if (!wrap_position(position, params.elements, wrapped)) {
    raise_flag(flag, 1);
    return T(0);
  }
  return self[strided_offset(wrapped, params.shape)];
}

template <class T>
[[kernel]] void take_dense(device T* output [[buffer(0)]], device const long* index [[buffer(1)]],
                           constant ElementwiseParams& params [[buffer(2)]],
                           device const T* self [[buffer(3)]],
                           device atomic_uint* flag [[buffer(4)]],
                           constant TakePutParams& take [[buffer(5)]],
                           uint2 position [[thread_position_in_grid]],
                           uint2 grid [[threads_per_grid]]) {
  const ulong first = linear_index(position, grid);
  if (first >= params.threads) {
    return;
  }
  // The loads of index come first, so that they are in flight together.
  long positions[kElementsPerThread];
  for (uint i = 0; i < kElementsPerThread; ++i) {
    const ulong at = first + i * params.threads;
    positions[i] = at < params.count ? index[at] : 0;
  }
  for (uint i = 0; i < kElementsPerThread; ++i) {
    const ulong at = first + i * params.threads;
    if (at < params.count) {
      output[at] = take_element(self, positions[i], flag, take);
    }
  }
}

template <class T>
[[kernel]] void take_strided(device T* output [[buffer(0)]], device const long* index [[buffer(1)]],
                             constant ElementwiseParams& params [[buffer(2)]],
                             device const T* self [[buffer(3)]],
                             device atomic_uint* flag [[buffer(4)]],
                             constant TakePutParams& take [[buffer(5)]],
                             constant long* layout [[buffer(6)]],
                             uint2 position [[thread_position_in_grid]],
                             uint2 grid [[threads_per_grid]]) {
  const ulong at = linear_index(position, grid);
  if (at >= params.count) {
    return;
  }
  ulong offsets[2];
  operand_offsets<2>(at, params, layout, offsets);
  output[offsets[0]] = take_element(self, index[offsets[1]], flag, take);
}

// Where an index stands in the table, and the position plus 1 that was there, 0 if none was.
struct PutSlot {
  uint slot;
  uint holder;
};

inline uint first_slot(ulong key, constant PutParams& params) {
  if (params.one_to_one != 0) {
    return uint(key);
  }
  // Fibonacci hashing: the high bits depend on all of the key.
  const ulong product = key * 0x9e3779b97f4a7c15ul;
  return uint(product >> 32) & (params.slots - 1);
}

// Positions in the table change, their index does not. There are more slots than positions.
inline PutSlot find_slot(ulong key, uint position, device const long* index,
                         device atomic_uint* table, constant PutParams& params) {
  PutSlot found;
  found.slot = first_slot(key, params);
  while (true) {
    found.holder = atomic_load_explicit(table + found.slot, memory_order_relaxed);
    if (found.holder == 0) {
      uint expected = 0;
      if (atomic_compare_exchange_weak_explicit(table + found.slot, &expected, position + 1,
                                                memory_order_relaxed, memory_order_relaxed)) {
        return found;
      }
      found.holder = expected;
    }
    // The exchange may have failed for no reason; then look again.
    if (found.holder != 0) {
      ulong other;
      wrap_position(index[found.holder - 1], params.elements, other);
      if (other == key) {
        return found;
      }
      found.slot = (found.slot + 1) & (params.slots - 1);
    }
  }
}

[[kernel]] void put_find_last(device const long* index [[buffer(0)]],
                              device atomic_uint* table [[buffer(1)]],
                              device uint* slots [[buffer(2)]],
                              device atomic_uint* flag [[buffer(3)]],
                              constant PutParams& params [[buffer(4)]],
                              uint position [[thread_position_in_grid]]) {
  if (position >= params.count) {
    return;
  }
  ulong key;
  if (!wrap_position(index[position], params.elements, key)) {
    raise_flag(flag, 1);
    slots[position] = kNoSlot;
    return;
  }
  const PutSlot found = find_slot(key, position, index, table, params);
  if (found.holder != 0 && found.holder < position + 1) {
    atomic_fetch_max_explicit(table + found.slot, position + 1, memory_order_relaxed);
  }
  slots[position] = found.slot;
}

template <class T>
[[kernel]] void put_replace(device T* self [[buffer(0)]], device const long* index [[buffer(1)]],
                            device const T* source [[buffer(2)]],
                            device const uint* table [[buffer(3)]],
                            device const uint* slots [[buffer(4)]],
                            constant PutParams& params [[buffer(5)]],
                            uint position [[thread_position_in_grid]]) {
  if (position >= params.count) {
    return;
  }
  const uint slot = slots[position];
  if (slot == kNoSlot || table[slot] != position + 1) {
    return;
  }
  ulong key;
  wrap_position(index[position], params.elements, key);
  self[strided_offset(key, params.shape)] = source[position];
}

// Two halves without a 64-bit atomic: every carry is seen by the one addition that causes it.
inline void add_to_sum(device atomic_uint* words, ulong value) {
  const uint low = uint(value);
  const uint before = atomic_fetch_add_explicit(words, low, memory_order_relaxed);
  const uint high = uint(value >> 32) + (before + low < before ? 1u : 0u);
  if (high != 0) {
    atomic_fetch_add_explicit(words + 1, high, memory_order_relaxed);
  }
}

inline ulong sum_of(device const uint* words) {
  return ulong(words[0]) | (ulong(words[1]) << 32);
}

// `owners` names, for each position, the one that stands for its index.
template <class T>
[[kernel]] void put_add_integers(
    device const long* index [[buffer(0)]], device const T* source [[buffer(1)]],
    device atomic_uint* table [[buffer(2)]], device atomic_uint* sums [[buffer(3)]],
    device uint* owners [[buffer(4)]], device atomic_uint* flag [[buffer(5)]],
    constant PutParams& params [[buffer(6)]], uint position [[thread_position_in_grid]]) {
  if (position >= params.count) {
    return;
  }
  ulong key;
  if (!wrap_position(index[position], params.elements, key)) {
    raise_flag(flag, 1);
    owners[position] = kNoSlot;
    return;
  }
  const PutSlot found = find_slot(key, position, index, table, params);
  const uint owner = found.holder == 0 ? position : found.holder - 1;
  owners[position] = owner;
  add_to_sum(sums + ulong(owner) * 2, ulong(long(source[position])));
}

// Of bool, a sum is whether any is true.
template <class T>
[[kernel]] void put_finish_integers(device T* self [[buffer(0)]],
                                    device const long* index [[buffer(1)]],
                                    device const uint* sums [[buffer(2)]],
                                    device const uint* owners [[buffer(3)]],
                                    constant PutParams& params [[buffer(4)]],
                                    uint position [[thread_position_in_grid]]) {
  if (position >= params.count || owners[position] != position) {
    return;
  }
  ulong key;
  wrap_position(index[position], params.elements, key);
  const long offset = strided_offset(key, params.shape);
  self[offset] = T(ulong(long(self[offset])) + sum_of(sums + ulong(position) * 2));
}

// |value| = mantissa * 2^(exponent - 150), for finite values. From its bits: Apple GPUs flush
// subnormal operands to zero.
struct FloatParts {
  uint exponent;
  uint mantissa;
  bool negative;
};

inline FloatParts parts_of(float value) {
  const uint bits = as_type<uint>(value);
  FloatParts parts;
  parts.exponent = (bits >> 23) & 255;
  parts.mantissa = bits & 0x007fffffu;
  parts.negative = (bits >> 31) != 0;
  if (parts.exponent != 0) {
    parts.mantissa |= 0x00800000u;
  } else {
    parts.exponent = 1;
  }
  return parts;
}

constant constexpr uint kFractionBits = 16;  // 2^22 addends of 24 + 16 bits fit a long

// In units of 2^(largest - 150 - kFractionBits), to nearest.
inline long in_fixed_point(float value, uint largest) {
  const FloatParts parts = parts_of(value);
  const uint shift = largest - parts.exponent;
  long magnitude = long(parts.mantissa) << kFractionBits;
  if (shift > 0) {
    magnitude = shift > 41 ? 0 : (magnitude + (1l << (shift - 1))) >> shift;
  }
  return parts.negative ? -magnitude : magnitude;
}

// To nearest, ties to even.
inline float from_fixed_point(long sum, uint largest) {
  const bool negative = sum < 0;
  const ulong magnitude = ulong(negative ? -sum : sum);
  const int unit = int(largest) - 150 - int(kFractionBits);
  const uint high = uint(magnitude >> 32);
  const int top = high != 0 ? 63 - int(clz(high)) : 31 - int(clz(uint(magnitude)));
  // The weight of the last bit of the result.
  const int last = max(top + unit - 23, -149);
  const int shift = last - unit;
  ulong rounded = magnitude;
  if (shift > 0) {
    const ulong half_of_last = 1ul << (shift - 1);
    const ulong rest = magnitude & ((1ul << shift) - 1);
    rounded = magnitude >> shift;
    if (rest > half_of_last || (rest == half_of_last && (rounded & 1) != 0)) {
      rounded += 1;
    }
  } else {
    rounded = magnitude << -shift;
  }
  // The leading bit of a normal number, and a carry into the next one, count up the exponent.
  const uint exponent = uint(last + 149);
  const uint bits = exponent >= 254 ? 0x7f800000u : (exponent << 23) + uint(rounded);
  return as_type<float>(bits | (negative ? 0x80000000u : 0u));
}

inline uint flags_of(float value) {
  if (isnan(value)) {
    return kPutNaN;
  }
  if (isinf(value)) {
    return (value > 0.0f ? kPutInfinity : kPutMinusInfinity) | kPutNotMinusZero;
  }
  return as_type<uint>(value) == 0x80000000u ? 0 : kPutNotMinusZero;
}

inline void scale_sum(device atomic_uint* words, float value, uint flags) {
  flags |= flags_of(value);
  const uint known = atomic_load_explicit(words + kPutFlags, memory_order_relaxed);
  if ((known & flags) != flags) {
    atomic_fetch_or_explicit(words + kPutFlags, flags, memory_order_relaxed);
  }
  const uint exponent = parts_of(value).exponent;
  const uint largest = atomic_load_explicit(words + kPutExponent, memory_order_relaxed);
  if (exponent < 255 && exponent > largest) {
    atomic_fetch_max_explicit(words + kPutExponent, exponent, memory_order_relaxed);
  }
}

template <class T, uint Parts>
[[kernel]] void put_scale(device const T* self [[buffer(0)]],
                          device const long* index [[buffer(1)]],
                          device const T* source [[buffer(2)]],
                          device atomic_uint* table [[buffer(3)]],
                          device atomic_uint* sums [[buffer(4)]], device uint* owners [[buffer(5)]],
                          device atomic_uint* flag [[buffer(6)]],
                          constant PutParams& params [[buffer(7)]],
                          uint position [[thread_position_in_grid]]) {
  if (position >= params.count) {
    return;
  }
  ulong key;
  if (!wrap_position(index[position], params.elements, key)) {
    raise_flag(flag, 1);
    owners[position] = kNoSlot;
    return;
  }
  const PutSlot found = find_slot(key, position, index, table, params);
  const bool own = found.holder == 0;
  const uint owner = own ? position : found.holder - 1;
  owners[position] = owner;
  const ulong element = ulong(strided_offset(key, params.shape)) * Parts;
  for (uint part = 0; part < Parts; ++part) {
    device atomic_uint* words = sums + (ulong(owner) * Parts + part) * kPutFloatWords;
    scale_sum(words, float(source[ulong(position) * Parts + part]), own ? 0 : kPutSeveral);
    if (own) {
      scale_sum(words, float(self[element + part]), 0);
    }
  }
}

inline void add_float(device atomic_uint* words, float value) {
  const uint largest = atomic_load_explicit(words + kPutExponent, memory_order_relaxed);
  if (isfinite(value)) {
    add_to_sum(words + kPutLow, ulong(in_fixed_point(value, largest)));
  }
}

template <class T, uint Parts>
[[kernel]] void put_add(device const T* self [[buffer(0)]], device const long* index [[buffer(1)]],
                        device const T* source [[buffer(2)]],
                        device atomic_uint* sums [[buffer(3)]],
                        device const uint* owners [[buffer(4)]],
                        constant PutParams& params [[buffer(5)]],
                        uint position [[thread_position_in_grid]]) {
  if (position >= params.count || owners[position] == kNoSlot) {
    return;
  }
  const uint owner = owners[position];
  ulong key;
  wrap_position(index[position], params.elements, key);
  const ulong element = ulong(strided_offset(key, params.shape)) * Parts;
  for (uint part = 0; part < Parts; ++part) {
    device atomic_uint* words = sums + (ulong(owner) * Parts + part) * kPutFloatWords;
    const uint flags = atomic_load_explicit(words + kPutFlags, memory_order_relaxed);
    if ((flags & kPutSeveral) == 0) {
      return;
    }
    add_float(words, float(source[ulong(position) * Parts + part]));
    if (owner == position) {
      add_float(words, float(self[element + part]));
    }
  }
}

inline float finish_sum(device const uint* words) {
  const uint flags = words[kPutFlags];
  const uint both = kPutInfinity | kPutMinusInfinity;
  if ((flags & kPutNaN) != 0 || (flags & both) == both) {
    return NAN;
  }
  if ((flags & both) != 0) {
    return (flags & kPutInfinity) != 0 ? INFINITY : -INFINITY;
  }
  const long sum = long(sum_of(words + kPutLow));
  if (sum == 0) {
    return (flags & kPutNotMinusZero) != 0 ? 0.0f : -0.0f;
  }
  return from_fixed_point(sum, words[kPutExponent]);
}

template <class T, uint Parts>
[[kernel]] void put_finish(device T* self [[buffer(0)]], device const long* index [[buffer(1)]],
                           device const T* source [[buffer(2)]],
                           device const uint* sums [[buffer(3)]],
                           device const uint* owners [[buffer(4)]],
                           constant PutParams& params [[buffer(5)]],
                           uint position [[thread_position_in_grid]]) {
  if (position >= params.count || owners[position] != position) {
    return;
  }
  ulong key;
  wrap_position(index[position], params.elements, key);
  const ulong element = ulong(strided_offset(key, params.shape)) * Parts;
  for (uint part = 0; part < Parts; ++part) {
    device const uint* words = sums + (ulong(position) * Parts + part) * kPutFloatWords;
    const bool several = (words[kPutFlags] & kPutSeveral) != 0;
    const float alone = float(self[element + part]) + float(source[ulong(position) * Parts + part]);
    self[element + part] = T(several ? finish_sum(words) : alone);
  }
}

#define TAKE_PUT_BITS(dtype, T)                       \
  INSTANTIATE("take_dense_" dtype, take_dense, T)     \
  INSTANTIATE("take_strided_" dtype, take_strided, T) \
  INSTANTIATE("put_replace_" dtype, put_replace, T)

TAKE_PUT_BITS("uint8", uchar)
TAKE_PUT_BITS("uint16", ushort)
TAKE_PUT_BITS("uint32", uint)
TAKE_PUT_BITS("uint64", ulong)

INSTANTIATE_INTEGRAL("put_add_integers", put_add_integers)
INSTANTIATE("put_add_integers_bool", put_add_integers, bool)
INSTANTIATE_INTEGRAL("put_finish_integers", put_finish_integers)
INSTANTIATE("put_finish_integers_bool", put_finish_integers, bool)

#define PUT_FLOATS(stem, function)             \
  INSTANTIATE_FLOATING_WITH(stem, function, 1) \
  INSTANTIATE(stem "_complex64", function, float, 2)

PUT_FLOATS("put_scale", put_scale)
PUT_FLOATS("put_add", put_add)
PUT_FLOATS("put_finish", put_finish)
