// Indices of sparse matrices: from row indices of their entries, in order, to offsets of rows, and
// back. One dispatch; a thread for each element (way back: for each entry) finds by bisection what
// it writes, so nothing depends on the order of threads. Each result is written once.
#include <metal_stdlib>

#include "metal/common/index.h"
#include "metal/common/instantiate.h"
#include "metal/params/sparse_indices.h"

using namespace metal;

// How many of `count` values, in ascending order, are below `bound`.
template <class I>
inline long count_below(device const I* values, long stride, long count, long bound) {
  long low = 0;
  long high = count;
  while (low < high) {
    const long middle = (low + high) / 2;
    if (long(values[middle * stride]) < bound) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

template <class I, class O>
[[kernel]] void coo_to_csr(device O* offsets [[buffer(0)]], device const I* indices [[buffer(1)]],
                           constant CooToCsrParams& params [[buffer(2)]],
                           uint2 position [[thread_position_in_grid]],
                           uint2 grid [[threads_per_grid]]) {
  const long row = long(linear_index(position, grid));
  if (row <= params.size) {
    offsets[row] = O(count_below(indices, params.stride, params.entries, row));
  }
}

// The result has a row of `total` indices for each batch dimension and for the two of a matrix.
template <class I, class O>
[[kernel]] void csr_to_coo(device O* indices [[buffer(0)]], device const I* offsets [[buffer(1)]],
                           device const O* columns [[buffer(2)]],
                           constant CsrToCooParams& params [[buffer(3)]],
                           uint2 position [[thread_position_in_grid]],
                           uint2 grid [[threads_per_grid]]) {
  const long index = long(linear_index(position, grid));
  if (index >= params.total) {
    return;
  }
  long batch = index / params.entries;
  const long entry = index - batch * params.entries;
  // The first offset is 0 and belongs to no search: count those of the rows' ends.
  device const I* ends = offsets + batch * (params.rows + 1) + 1;
  const long row = count_below(ends, 1, params.rows - 1, entry + 1);
  device O* matrix = indices + params.batch_dims * params.total;
  matrix[(params.transpose != 0 ? params.total : 0) + index] = O(row);
  matrix[(params.transpose != 0 ? 0 : params.total) + index] = columns[index];
  for (long dim = params.batch_dims - 1; dim >= 0; --dim) {
    const long size = params.batch_sizes[dim];
    const long rest = batch / size;
    indices[dim * params.total + index] = O(batch - rest * size);
    batch = rest;
  }
}

#define SPARSE_INDICES(stem, function)                     \
  INSTANTIATE_INTEGRAL_WITH(stem "_int64", function, long) \
  INSTANTIATE_INTEGRAL_WITH(stem "_int32", function, int)

SPARSE_INDICES("coo_to_csr", coo_to_csr)
SPARSE_INDICES("csr_to_coo", csr_to_coo)
