// Elementwise kernels around a functor that maps values to a value. A family includes this, defines
//
//   struct Name { float operator()(float x) const { ... } };
//
// and has one table row, INSTANTIATE_UNARY_FLOAT32("name", Name) or one of its kin below. Functors
// of integers too are templates, T operator()(T x) const: half and bfloat arrive as float. One
// dispatch per call; the host (csrc/core/elementwise.cpp) picks among
//   dense    all operands of one dtype and contiguous: up to 4 coalesced elements per thread;
//   strided  all operands of one dtype: one element per thread at the iterator's strides;
//   cast     any dtypes and strides, converted at run time; one operand may be a CPU scalar.
// Each reads every input element and writes every output element once.
//
// Kernels of other shapes bind the same way, operands, ElementwiseParams, what else the op needs,
// then the layout where strided, and find their elements with operand_offsets().
#pragma once
#include <metal_stdlib>

#include "metal/common/index.h"
#include "metal/common/instantiate.h"
#include "metal/params/elementwise.h"

// What a functor computes in: half and bfloat are storage only.
template <class T>
struct ComputeType {
  using type = T;
};
template <>
struct ComputeType<half> {
  using type = float;
};
#ifndef MPSOPS_NO_BFLOAT
template <>
struct ComputeType<bfloat> {
  using type = float;
};
#endif

constant constexpr uint kElementsPerThread = 4;

// Unsigned arithmetic is enough: torch has no negative strides.
template <class Index, uint Operands>
inline void add_offsets(Index rest, uint ndim, constant long* layout, thread ulong* offsets) {
  for (uint dim = 0; dim < ndim; ++dim) {
    Index position = rest;
    // The outermost position needs no division.
    if (dim + 1 < ndim) {
      const Index size = Index(layout[dim]);
      const Index next = rest / size;
      position = rest - next * size;
      rest = next;
    }
    for (uint operand = 0; operand < Operands; ++operand) {
      offsets[operand] += ulong(position * Index(layout[(operand + 1) * ndim + dim]));
    }
  }
}

// Offsets, in elements, of the output and of each input at linear position `index`.
template <uint Operands>
inline void operand_offsets(ulong index, constant ElementwiseParams& params, constant long* layout,
                            thread ulong* offsets) {
  for (uint operand = 0; operand < Operands; ++operand) {
    offsets[operand] = 0;
  }
  if (params.narrow != 0) {
    add_offsets<uint, Operands>(uint(index), params.ndim, layout, offsets);
  } else {
    add_offsets<ulong, Operands>(index, params.ndim, layout, offsets);
  }
}

template <class T, class Compute>
inline Compute load_element(device const uchar* data, ulong offset) {
  return Compute(reinterpret_cast<device const T*>(data)[offset]);
}

template <class Compute>
inline Compute load_cast(device const uchar* data, ulong offset, uint dtype, float scalar) {
  switch (dtype) {
    case kElementwiseUInt8:
      return load_element<uchar, Compute>(data, offset);
    case kElementwiseInt8:
      return load_element<char, Compute>(data, offset);
    case kElementwiseInt16:
      return load_element<short, Compute>(data, offset);
    case kElementwiseInt32:
      return load_element<int, Compute>(data, offset);
    case kElementwiseInt64:
      return load_element<long, Compute>(data, offset);
    case kElementwiseUInt16:
      return load_element<ushort, Compute>(data, offset);
    case kElementwiseUInt32:
      return load_element<uint, Compute>(data, offset);
    case kElementwiseUInt64:
      return load_element<ulong, Compute>(data, offset);
    case kElementwiseBool:
      return load_element<bool, Compute>(data, offset);
    case kElementwiseFloat16:
      return load_element<half, Compute>(data, offset);
#ifndef MPSOPS_NO_BFLOAT
    case kElementwiseBFloat16:
      return load_element<bfloat, Compute>(data, offset);
#endif
    case kElementwiseFloat32:
      return load_element<float, Compute>(data, offset);
    default:
      return Compute(scalar);
  }
}

// Float results only: torch refuses to cast a float result to an integer output.
inline void store_cast(device uchar* data, ulong offset, uint dtype, uint common, float value) {
  if (common == kElementwiseFloat16) {
    value = float(half(value));
  }
#ifndef MPSOPS_NO_BFLOAT
  if (common == kElementwiseBFloat16) {
    value = float(bfloat(value));
  }
#endif
  switch (dtype) {
    case kElementwiseFloat16:
      reinterpret_cast<device half*>(data)[offset] = half(value);
      break;
#ifndef MPSOPS_NO_BFLOAT
    case kElementwiseBFloat16:
      reinterpret_cast<device bfloat*>(data)[offset] = bfloat(value);
      break;
#endif
    case kElementwiseComplex32:
      reinterpret_cast<device half2*>(data)[offset] = half2(half(value), half(0));
      break;
    case kElementwiseComplex64:
      reinterpret_cast<device float2*>(data)[offset] = float2(value, 0.0f);
      break;
    default:
      reinterpret_cast<device float*>(data)[offset] = value;
  }
}

// What a thread of a dense kernel takes. The loads come first, so that they are in flight together.
template <class T>
inline void load_dense(device const T* input, ulong first, constant ElementwiseParams& params,
                       thread T* values) {
  for (uint i = 0; i < kElementsPerThread; ++i) {
    const ulong index = first + i * params.threads;
    values[i] = index < params.count ? input[index] : T(0.0f);
  }
}

template <class T, class Functor>
[[kernel]] void unary_dense(device T* output [[buffer(0)]], device const T* input [[buffer(1)]],
                            constant ElementwiseParams& params [[buffer(2)]],
                            uint2 position [[thread_position_in_grid]],
                            uint2 grid [[threads_per_grid]]) {
  using Compute = typename ComputeType<T>::type;
  const ulong first = linear_index(position, grid);
  if (first >= params.threads) {
    return;
  }
  T values[kElementsPerThread];
  load_dense(input, first, params, values);
  for (uint i = 0; i < kElementsPerThread; ++i) {
    const ulong index = first + i * params.threads;
    if (index < params.count) {
      output[index] = T(Functor()(Compute(values[i])));
    }
  }
}

template <class T, class Functor>
[[kernel]] void unary_strided(device T* output [[buffer(0)]], device const T* input [[buffer(1)]],
                              constant ElementwiseParams& params [[buffer(2)]],
                              constant long* layout [[buffer(3)]],
                              uint2 position [[thread_position_in_grid]],
                              uint2 grid [[threads_per_grid]]) {
  using Compute = typename ComputeType<T>::type;
  const ulong index = linear_index(position, grid);
  if (index >= params.count) {
    return;
  }
  ulong offsets[2];
  operand_offsets<2>(index, params, layout, offsets);
  output[offsets[0]] = T(Functor()(Compute(input[offsets[1]])));
}

template <class Functor>
[[kernel]] void unary_cast(device uchar* output [[buffer(0)]],
                           device const uchar* input [[buffer(1)]],
                           constant ElementwiseParams& params [[buffer(2)]],
                           constant long* layout [[buffer(3)]],
                           uint2 position [[thread_position_in_grid]],
                           uint2 grid [[threads_per_grid]]) {
  const ulong index = linear_index(position, grid);
  if (index >= params.count) {
    return;
  }
  ulong offsets[2];
  operand_offsets<2>(index, params, layout, offsets);
  const float x = load_cast<float>(input, offsets[1], params.dtypes[1], params.scalar);
  store_cast(output, offsets[0], params.dtypes[0], params.common, Functor()(x));
}

template <class T, class Functor>
[[kernel]] void binary_dense(device T* output [[buffer(0)]], device const T* left [[buffer(1)]],
                             device const T* right [[buffer(2)]],
                             constant ElementwiseParams& params [[buffer(3)]],
                             uint2 position [[thread_position_in_grid]],
                             uint2 grid [[threads_per_grid]]) {
  using Compute = typename ComputeType<T>::type;
  const ulong first = linear_index(position, grid);
  if (first >= params.threads) {
    return;
  }
  T lefts[kElementsPerThread];
  T rights[kElementsPerThread];
  load_dense(left, first, params, lefts);
  load_dense(right, first, params, rights);
  for (uint i = 0; i < kElementsPerThread; ++i) {
    const ulong index = first + i * params.threads;
    if (index < params.count) {
      output[index] = T(Functor()(Compute(lefts[i]), Compute(rights[i])));
    }
  }
}

template <class T, class Functor>
[[kernel]] void binary_strided(device T* output [[buffer(0)]], device const T* left [[buffer(1)]],
                               device const T* right [[buffer(2)]],
                               constant ElementwiseParams& params [[buffer(3)]],
                               constant long* layout [[buffer(4)]],
                               uint2 position [[thread_position_in_grid]],
                               uint2 grid [[threads_per_grid]]) {
  using Compute = typename ComputeType<T>::type;
  const ulong index = linear_index(position, grid);
  if (index >= params.count) {
    return;
  }
  ulong offsets[3];
  operand_offsets<3>(index, params, layout, offsets);
  output[offsets[0]] = T(Functor()(Compute(left[offsets[1]]), Compute(right[offsets[2]])));
}

template <class Functor>
[[kernel]] void binary_cast(device uchar* output [[buffer(0)]],
                            device const uchar* left [[buffer(1)]],
                            device const uchar* right [[buffer(2)]],
                            constant ElementwiseParams& params [[buffer(3)]],
                            constant long* layout [[buffer(4)]],
                            uint2 position [[thread_position_in_grid]],
                            uint2 grid [[threads_per_grid]]) {
  const ulong index = linear_index(position, grid);
  if (index >= params.count) {
    return;
  }
  ulong offsets[3];
  operand_offsets<3>(index, params, layout, offsets);
  const float x = load_cast<float>(left, offsets[1], params.dtypes[1], params.scalar);
  const float y = load_cast<float>(right, offsets[2], params.dtypes[2], params.scalar);
  store_cast(output, offsets[0], params.dtypes[0], params.common, Functor()(x, y));
}

// Two outputs: U second; T first = Functor()(T x, thread U& second). T is not converted.
template <class T, class U, class Functor>
[[kernel]] void unary_pair_dense(device T* output [[buffer(0)]], device U* second [[buffer(1)]],
                                 device const T* input [[buffer(2)]],
                                 constant ElementwiseParams& params [[buffer(3)]],
                                 uint2 position [[thread_position_in_grid]],
                                 uint2 grid [[threads_per_grid]]) {
  const ulong first = linear_index(position, grid);
  if (first >= params.threads) {
    return;
  }
  T values[kElementsPerThread];
  load_dense(input, first, params, values);
  for (uint i = 0; i < kElementsPerThread; ++i) {
    const ulong index = first + i * params.threads;
    if (index < params.count) {
      U other;
      output[index] = Functor()(values[i], other);
      second[index] = other;
    }
  }
}

template <class T, class U, class Functor>
[[kernel]] void unary_pair_strided(device T* output [[buffer(0)]], device U* second [[buffer(1)]],
                                   device const T* input [[buffer(2)]],
                                   constant ElementwiseParams& params [[buffer(3)]],
                                   constant long* layout [[buffer(4)]],
                                   uint2 position [[thread_position_in_grid]],
                                   uint2 grid [[threads_per_grid]]) {
  const ulong index = linear_index(position, grid);
  if (index >= params.count) {
    return;
  }
  ulong offsets[3];
  operand_offsets<3>(index, params, layout, offsets);
  U other;
  output[offsets[0]] = Functor()(input[offsets[2]], other);
  second[offsets[1]] = other;
}

// The kernels of an op with float results. FLOAT32: for float32 and what promotes to it; FLOATING:
// for float16 and bfloat16 too. Operands of other dtypes go through the cast kernel.
#define INSTANTIATE_UNARY_FLOAT32(op, functor)                      \
  INSTANTIATE(op "_dense_float32", unary_dense, float, functor)     \
  INSTANTIATE(op "_strided_float32", unary_strided, float, functor) \
  INSTANTIATE(op "_cast", unary_cast, functor)

#define INSTANTIATE_UNARY_FLOATING(op, functor)                    \
  INSTANTIATE_FLOATING_WITH(op "_dense", unary_dense, functor)     \
  INSTANTIATE_FLOATING_WITH(op "_strided", unary_strided, functor) \
  INSTANTIATE(op "_cast", unary_cast, functor)

#define INSTANTIATE_BINARY_FLOAT32(op, functor)                      \
  INSTANTIATE(op "_dense_float32", binary_dense, float, functor)     \
  INSTANTIATE(op "_strided_float32", binary_strided, float, functor) \
  INSTANTIATE(op "_cast", binary_cast, functor)

#define INSTANTIATE_BINARY_FLOATING(op, functor)                    \
  INSTANTIATE_FLOATING_WITH(op "_dense", binary_dense, functor)     \
  INSTANTIATE_FLOATING_WITH(op "_strided", binary_strided, functor) \
  INSTANTIATE(op "_cast", binary_cast, functor)

// Of an op whose operands and result are of one dtype, whatever that is.
#define INSTANTIATE_BINARY_ALL(op, functor)                \
  INSTANTIATE_ALL_WITH(op "_dense", binary_dense, functor) \
  INSTANTIATE_ALL_WITH(op "_strided", binary_strided, functor)
