// Distances between all pairs of rows of a matrix, |a - b|_p, and their gradient.
// Forward: `lanes` neighbouring threads share a pair, stride over its features, and combine with
// simdgroup shuffles. Backward: a simdgroup has one row and up to 32 features; its lanes gather
// over all other rows, so no atomics and no rows x rows buffer. One dispatch per call, no scratch.
// Bytes moved: the input and one value per pair (twice in backward, and once more per block of
// features); rows are read again for every pair, from cache.
#include <metal_stdlib>

#include "metal/common/index.h"
#include "metal/common/instantiate.h"
#include "metal/params/pdist.h"

using namespace metal;

// sign() of Metal makes 0 of a NaN, which must go on.
inline float signum(float x) {
  return isnan(x) ? x : float(x > 0.0f) - float(x < 0.0f);
}

// A norm maps each |difference| to a term, combines terms starting from 0, and finishes the total.
// gradient() is that of the distance by the difference, times `grad`; it is odd in `difference`.
struct NormZero {
  static float term(float difference, float) {
    return isnan(difference) ? difference : float(difference > 0.0f);
  }
  static float combine(float a, float b) { return a + b; }
  static float finish(float total, float) { return total; }
};

struct NormOne {
  static float term(float difference, float) { return difference; }
  static float combine(float a, float b) { return a + b; }
  static float finish(float total, float) { return total; }
  static float gradient(float difference, float grad, float, float) {
    return grad * signum(difference);
  }
};

struct NormTwo {
  static float term(float difference, float) { return difference * difference; }
  static float combine(float a, float b) { return a + b; }
  static float finish(float total, float) { return precise::sqrt(total); }
  static float gradient(float difference, float grad, float distance, float) {
    return distance == 0.0f ? 0.0f : grad * difference / distance;
  }
};

struct NormInfinity {
  static float term(float difference, float) { return difference; }
  static float combine(float a, float b) { return isnan(a) || a > b ? a : b; }
  static float finish(float total, float) { return total; }
  // Every feature that attains the maximum has a share; 0 times NaN makes NaN of a NaN distance.
  static float gradient(float difference, float grad, float distance, float) {
    const float below = fabs(fabs(difference) - distance);
    const float share = isnan(below) ? below : float(below == 0.0f);
    return grad * signum(difference) * share;
  }
};

struct NormGeneral {
  static float term(float difference, float p) { return precise::pow(difference, p); }
  static float combine(float a, float b) { return a + b; }
  static float finish(float total, float p) { return precise::pow(total, 1.0f / p); }
  static float gradient(float difference, float grad, float distance, float p) {
    return distance == 0.0f ? 0.0f
                            : difference * precise::pow(fabs(difference), p - 2.0f) * grad /
                                  precise::pow(distance, p - 1.0f);
  }
};

// Below p = 2 the general gradient would divide by |difference|; below 1 it is infinite at 0, which
// counts as 0.
struct NormBelowTwo {
  static float gradient(float difference, float grad, float distance, float p) {
    if (distance == 0.0f || (difference == 0.0f && p < 1.0f)) {
      return 0.0f;
    }
    return signum(difference) * precise::pow(fabs(difference), p - 1.0f) * grad /
           precise::pow(distance, p - 1.0f);
  }
};

// Rows i < j of pair k, counted as the CPU kernel does: (0, 1), (0, 2), ..., (1, 2), ... The r-th
// pair from the end lies in row n - 2 - t where t (t + 1) / 2 <= r < (t + 1) (t + 2) / 2. The root
// is only a first guess, made exact in integers.
template <typename Index>
struct RowPair {
  Index i;
  Index j;

  RowPair(Index pair, Index rows, Index pairs) {
    const Index rest = pairs - 1 - pair;
    Index t = Index((precise::sqrt(8.0f * float(rest) + 1.0f) - 1.0f) * 0.5f);
    t = min(t, rows - 2);
    while (t * (t + 1) / 2 > rest) {
      --t;
    }
    while ((t + 1) * (t + 2) / 2 <= rest) {
      ++t;
    }
    i = rows - 2 - t;
    j = rows - 1 - (rest - t * (t + 1) / 2);
  }
};

template <typename Norm, typename Index>
[[kernel]] void pdist(device float* distances [[buffer(0)]],
                      const device float* input [[buffer(1)]],
                      constant PdistParams& params [[buffer(2)]],
                      uint2 group [[threadgroup_position_in_grid]],
                      uint2 groups [[threadgroups_per_grid]],
                      uint2 position [[thread_position_in_threadgroup]],
                      uint2 threads [[threads_per_threadgroup]]) {
  const ulong thread_index = linear_index(group, groups) * threads.x + position.x;
  const uint lane = uint(thread_index) & (params.lanes - 1);
  const ulong wanted = thread_index / params.lanes;
  const Index pairs = Index(params.pairs);
  // Threads past the end work on the last pair: all lanes must reach the shuffles.
  const Index index = wanted < ulong(pairs) ? Index(wanted) : pairs - 1;
  const Index features = Index(params.features);
  const RowPair<Index> pair(index, Index(params.rows), pairs);
  const device float* a = input + pair.i * features;
  const device float* b = input + pair.j * features;
  float total = 0.0f;
  for (Index feature = lane; feature < features; feature += params.lanes) {
    total = Norm::combine(total, Norm::term(fabs(a[feature] - b[feature]), params.p));
  }
  for (uint distance = params.lanes / 2; distance > 0; distance /= 2) {
    total = Norm::combine(total, simd_shuffle_xor(total, ushort(distance)));
  }
  if (lane == 0 && wanted < ulong(pairs)) {
    distances[index] = Norm::finish(total, params.p);
  }
}

// Position of the pair of two different rows.
template <typename Index>
inline Index pair_index(Index a, Index b, Index rows) {
  const Index first = min(a, b);
  return first * (2 * rows - first - 1) / 2 + (max(a, b) - first - 1);
}

template <typename Norm, typename Index>
[[kernel]] void pdist_backward(
    device float* grad_input [[buffer(0)]], const device float* grad [[buffer(1)]],
    const device float* input [[buffer(2)]], const device float* distances [[buffer(3)]],
    constant PdistParams& params [[buffer(4)]], uint2 group [[threadgroup_position_in_grid]],
    uint2 groups [[threadgroups_per_grid]], uint2 position [[thread_position_in_threadgroup]],
    uint2 threads [[threads_per_threadgroup]]) {
  const ulong thread_index = linear_index(group, groups) * threads.x + position.x;
  const uint lane = uint(thread_index) & 31;
  const Index unit = Index(thread_index / 32);
  const Index rows = Index(params.rows);
  const Index features = Index(params.features);
  const Index blocks = (features + params.lanes - 1) / params.lanes;
  const Index row = unit / blocks;
  if (row >= rows) {
    return;
  }
  const Index feature = (unit - row * blocks) * params.lanes + (lane & (params.lanes - 1));
  const bool valid = feature < features;
  float total = 0.0f;
  if (valid) {
    const float own = input[row * features + feature];
    for (Index other = lane / params.lanes; other < rows; other += 32 / params.lanes) {
      if (other != row) {
        const Index pair = pair_index(row, other, rows);
        total += Norm::gradient(own - input[other * features + feature],
                                grad[pair * Index(params.grad_stride)], distances[pair], params.p);
      }
    }
  }
  for (uint distance = params.lanes; distance < 32; distance *= 2) {
    total += simd_shuffle_xor(total, ushort(distance));
  }
  if (valid && lane < params.lanes) {
    grad_input[row * features + feature] = total;
  }
}

INSTANTIATE("pdist_zero_float32", pdist, NormZero, uint)
INSTANTIATE("pdist_one_float32", pdist, NormOne, uint)
INSTANTIATE("pdist_two_float32", pdist, NormTwo, uint)
INSTANTIATE("pdist_infinity_float32", pdist, NormInfinity, uint)
INSTANTIATE("pdist_general_float32", pdist, NormGeneral, uint)
INSTANTIATE("pdist_zero_wide_float32", pdist, NormZero, ulong)
INSTANTIATE("pdist_one_wide_float32", pdist, NormOne, ulong)
INSTANTIATE("pdist_two_wide_float32", pdist, NormTwo, ulong)
INSTANTIATE("pdist_infinity_wide_float32", pdist, NormInfinity, ulong)
INSTANTIATE("pdist_general_wide_float32", pdist, NormGeneral, ulong)
INSTANTIATE("pdist_backward_one_float32", pdist_backward, NormOne, uint)
INSTANTIATE("pdist_backward_two_float32", pdist_backward, NormTwo, uint)
INSTANTIATE("pdist_backward_infinity_float32", pdist_backward, NormInfinity, uint)
INSTANTIATE("pdist_backward_general_float32", pdist_backward, NormGeneral, uint)
INSTANTIATE("pdist_backward_below_two_float32", pdist_backward, NormBelowTwo, uint)
INSTANTIATE("pdist_backward_one_wide_float32", pdist_backward, NormOne, ulong)
INSTANTIATE("pdist_backward_two_wide_float32", pdist_backward, NormTwo, ulong)
INSTANTIATE("pdist_backward_infinity_wide_float32", pdist_backward, NormInfinity, ulong)
INSTANTIATE("pdist_backward_general_wide_float32", pdist_backward, NormGeneral, ulong)
INSTANTIATE("pdist_backward_below_two_wide_float32", pdist_backward, NormBelowTwo, ulong)
