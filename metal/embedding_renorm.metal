// Rows of a table that indices name are scaled to a norm of max_norm, if theirs is above:
// row *= max_norm / (norm + 1e-7). A team of threads takes an index (metal/common/row_teams.h).
// Which of the teams with the same index scales the row is decided by a bit per row of the table,
// set by the first: each of them would do the same, so results do not depend on it. One dispatch;
// a named row is read once, and once more where it is scaled. An index outside [-rows, rows) names
// no row and raises the flag.
#include <metal_stdlib>

#include "metal/common/device_flag.h"
#include "metal/common/float_float.h"
#include "metal/common/instantiate.h"
#include "metal/common/row_teams.h"
#include "metal/params/embedding_renorm.h"

using namespace metal;

// As the CPU computes: magnitudes and scaled values in float, the norm rounded to the dtype.
template <typename T>
struct Element {
  static float magnitude(T value) { return fabs(float(value)); }
  static float square(T value) { return float(value) * float(value); }
  static float rounded(float norm) { return float(T(norm)); }
  static T scaled(T value, float scale) { return T(float(value) * scale); }
};

template <>
struct Element<float2> {
  static float magnitude(float2 value) { return precise::sqrt(square(value)); }
  static float square(float2 value) { return value.x * value.x + value.y * value.y; }
  static float rounded(float norm) { return norm; }
  // As a product of complex numbers: an infinity makes the other part NaN.
  static float2 scaled(float2 value, float scale) {
    return float2(value.x * scale - value.y * 0.0f, value.x * 0.0f + value.y * scale);
  }
};

// What an element adds to the sum, or stands for among the extremes.
template <typename T>
inline float norm_term(T value, constant EmbeddingRenormParams& params) {
  switch (params.norm) {
    case kNormTwo:
      return Element<T>::square(value);
    case kNormZero:
      return Element<T>::magnitude(value) != 0.0f ? 1.0f : 0.0f;
    case kNormGeneral:
      return precise::pow(Element<T>::magnitude(value), params.p);
    default:
      return Element<T>::magnitude(value);
  }
}

// The norm of `length` elements, in every lane of the team.
template <typename T>
inline float row_norm(device const T* row, long length, uint lane,
                      constant EmbeddingRenormParams& params, threadgroup float* shared,
                      GroupPosition at) {
  float sum = 0.0f;  // of an extreme: NaN if there is one
  float extreme = -INFINITY;
  const float sign = params.norm == kNormSmallest ? -1.0f : 1.0f;
  for (long d = lane; d < length; d += params.lanes) {
    const float term = norm_term(row[d * params.stride[1]], params);
    sum += term;
    extreme = fmax(extreme, sign * term);
  }
  sum = team_sum(sum, params.lanes, shared, at);
  switch (params.norm) {
    case kNormTwo:
      return precise::sqrt(sum);
    case kNormLargest:
    case kNormSmallest:
      extreme = sign * team_max(extreme, params.lanes, shared, at);
      return sum != sum ? sum : extreme;
    case kNormGeneral:
      return precise::pow(sum, 1.0f / params.p);
    default:
      return sum;
  }
}

// max_norm / (norm + 1e-7), which the CPU computes in double.
inline float norm_scale(float norm, constant EmbeddingRenormParams& params) {
  const FloatFloat divisor = two_sum(norm, 1e-7f);
  const float quotient = params.max_norm / divisor.hi;
  const float rest =
      fma(-quotient, divisor.hi, params.max_norm) + params.max_norm_rest - quotient * divisor.lo;
  const float correction = rest / divisor.hi;
  return isfinite(correction) ? quotient + correction : quotient;
}

template <typename T, typename Index>
kernel void embedding_renorm(
    device T* table [[buffer(0)]], device const Index* indices [[buffer(1)]],
    device atomic_uint* taken [[buffer(2)]], device atomic_uint* flag [[buffer(3)]],
    constant EmbeddingRenormParams& params [[buffer(4)]],
    uint2 group [[threadgroup_position_in_grid]], uint2 groups [[threadgroups_per_grid]],
    uint2 threads [[threads_per_threadgroup]], uint thread_index [[thread_index_in_threadgroup]],
    uint lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float shared[32];
  const GroupPosition at = group_position(thread_index, threads.x, lane, simdgroup);
  const RowTeams teams = row_teams(params.lanes, group, groups, at);
  for (long first = teams.first; first < params.indices; first += teams.step) {
    long index = 0;
    float mine = 0.0f;
    if (first + teams.team < params.indices) {
      index = long(indices[first + teams.team]);
      index += index < 0 ? params.rows : 0;
      if (teams.lane == 0) {
        if (index < 0 || index >= params.rows) {
          raise_flag(flag, 1);
        } else {
          const uint bit = 1u << uint(index % 32);
          const uint before =
              atomic_fetch_or_explicit(&taken[index / 32], bit, memory_order_relaxed);
          mine = (before & bit) == 0 ? 1.0f : 0.0f;
        }
      }
    }
    const long length = team_max(mine, params.lanes, shared, at) == 0.0f ? 0 : params.columns;
    device T* row = table + (length == 0 ? 0 : index) * params.stride[0];
    const float norm = Element<T>::rounded(row_norm(row, length, teams.lane, params, shared, at));
    if (length == 0 || !(norm > params.threshold)) {
      continue;
    }
    const float scale = norm_scale(norm, params);
    for (long d = teams.lane; d < length; d += params.lanes) {
      row[d * params.stride[1]] = Element<T>::scaled(row[d * params.stride[1]], scale);
    }
  }
}

#define INSTANTIATE_EMBEDDING_RENORM(index, type)                                        \
  INSTANTIATE("embedding_renorm_float32_" index, embedding_renorm, float, type)          \
  INSTANTIATE("embedding_renorm_float16_" index, embedding_renorm, half, type)           \
  INSTANTIATE_BFLOAT("embedding_renorm_bfloat16_" index, embedding_renorm, bfloat, type) \
  INSTANTIATE("embedding_renorm_complex64_" index, embedding_renorm, float2, type)

INSTANTIATE_EMBEDDING_RENORM("int64", long)
INSTANTIATE_EMBEDDING_RENORM("int32", int)
