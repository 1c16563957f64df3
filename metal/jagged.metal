// Rows of a batch of items of different lengths, one after the other and delimited by `offsets`, to
// rows padded to one length, and back. One dispatch; every element of the result is written once,
// by a thread that looks up its row and then takes 8 elements of it, neighbours reading
// neighbouring ones. The way back looks its item up by bisection.
//
// Elements are moved as bits, so one kernel serves all dtypes of a size. Offsets are not trusted:
// wrong ones give padding, or zeros or wrong rows on the way back, never other memory.
#include <metal_stdlib>

#include "metal/common/device_flag.h"
#include "metal/common/index.h"
#include "metal/common/instantiate.h"
#include "metal/common/strided.h"
#include "metal/params/jagged.h"

using namespace metal;

// `outside` where there is no such row.
template <class T>
inline void copy_row(device T* output, device const T* source, bool inside, T outside, long lane,
                     constant JaggedParams& params) {
  for (long column = lane; column < params.columns; column += params.lanes) {
    output[column] = inside ? source[strided_offset(ulong(column), params.row)] : outside;
  }
}

template <class T, class I>
[[kernel]] void jagged_to_padded(device T* output [[buffer(0)]],
                                 device const T* values [[buffer(1)]],
                                 device const I* offsets [[buffer(2)]],
                                 constant JaggedParams& params [[buffer(3)]],
                                 uint2 position [[thread_position_in_grid]],
                                 uint2 grid [[threads_per_grid]]) {
  const long index = long(linear_index(position, grid));
  const long row = index / params.lanes;
  const long item = row / params.length;
  if (item >= params.batch) {
    return;
  }
  const long start = long(offsets[item]);
  const long end = long(offsets[item + 1]);
  const long place = row - item * params.length;
  const bool inside =
      start >= 0 && place < end - start && start < params.total && place < params.total - start;
  const long from = inside ? start + place : 0;
  copy_row(output + row * params.columns, values + from * params.row_stride, inside,
           T(params.padding), index - row * params.lanes, params);
}

// The last item that starts at or before a row; -1 if none does.
template <class I>
inline long find_item(long row, device const I* offsets, long batch) {
  long low = 0;
  long high = batch;
  while (low < high) {
    const long middle = (low + high) / 2;
    if (long(offsets[middle]) <= row) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low - 1;
}

template <class I>
inline void check_offsets(long index, device const I* offsets, device atomic_uint* flag,
                          constant JaggedParams& params) {
  if (params.checked == 0) {
    return;
  }
  if (index<params.batch&& long(offsets[index + 1]) - long(offsets[index])> params.length) {
    raise_flag(flag, kJaggedLength);
  }
  if (index == 0 && long(offsets[params.batch]) != params.total) {
    raise_flag(flag, kJaggedTotal);
  }
}

// The grid has a thread for each item too.
template <class T, class I>
[[kernel]] void padded_to_jagged(device T* output [[buffer(0)]],
                                 device const T* padded [[buffer(1)]],
                                 device const I* offsets [[buffer(2)]],
                                 device atomic_uint* flag [[buffer(3)]],
                                 constant JaggedParams& params [[buffer(4)]],
                                 uint2 position [[thread_position_in_grid]],
                                 uint2 grid [[threads_per_grid]]) {
  const long index = long(linear_index(position, grid));
  check_offsets(index, offsets, flag, params);
  const long row = index / params.lanes;
  if (row >= params.total) {
    return;
  }
  const long item = find_item(row, offsets, params.batch);
  const long place = item >= 0 ? row - long(offsets[item]) : 0;
  const bool inside = item >= 0 && place >= 0 && place < params.length;
  const long from = inside ? item * params.batch_stride + place * params.row_stride : 0;
  copy_row(output + row * params.columns, padded + from, inside, T(0), index - row * params.lanes,
           params);
}

#define JAGGED(dtype, T)                                                     \
  INSTANTIATE("jagged_to_padded_" dtype "_int64", jagged_to_padded, T, long) \
  INSTANTIATE("jagged_to_padded_" dtype "_int32", jagged_to_padded, T, int)  \
  INSTANTIATE("padded_to_jagged_" dtype "_int64", padded_to_jagged, T, long) \
  INSTANTIATE("padded_to_jagged_" dtype "_int32", padded_to_jagged, T, int)

JAGGED("uint8", uchar)
JAGGED("uint16", ushort)
JAGGED("uint32", uint)
JAGGED("uint64", ulong)
