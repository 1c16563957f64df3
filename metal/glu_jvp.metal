// Forward derivatives of y = a s(b), where s is the sigmoid and (a, b) the halves of x, and of its
// gradient (g s, g s a (1 - s)):
//   glu_jvp            da s + y (db - s db)
//   glu_backward_jvp   u = dg s + ga (db - db s)  and  u (a - a s) + ga (da - da s - a s (db - db
//   s)),
// where ga = g s is the first half of the gradient. Elementwise over halves that are views
// (metal/common/elementwise.h): one dispatch, each element read and written once.
#include "metal/common/elementwise.h"

template <class T>
inline float sigmoid(T x) {
  return 1.0f / (1.0f + metal::precise::exp(-float(x)));
}

template <class T>
inline T glu_tangent(T y, T b, T da, T db) {
  const float s = sigmoid(b);
  return T(float(da) * s + float(y) * (float(db) - s * float(db)));
}

template <class T>
[[kernel]] void glu_jvp_dense(device T* output [[buffer(0)]], device const T* y [[buffer(1)]],
                              device const T* b [[buffer(2)]], device const T* da [[buffer(3)]],
                              device const T* db [[buffer(4)]],
                              constant ElementwiseParams& params [[buffer(5)]],
                              uint2 position [[thread_position_in_grid]],
                              uint2 grid [[threads_per_grid]]) {
  const ulong first = linear_index(position, grid);
  for (uint i = 0; i < kElementsPerThread; ++i) {
    const ulong index = first + i * params.threads;
    if (first < params.threads && index < params.count) {
      output[index] = glu_tangent(y[index], b[index], da[index], db[index]);
    }
  }
}

template <class T>
[[kernel]] void glu_jvp_strided(device T* output [[buffer(0)]], device const T* y [[buffer(1)]],
                                device const T* b [[buffer(2)]], device const T* da [[buffer(3)]],
                                device const T* db [[buffer(4)]],
                                constant ElementwiseParams& params [[buffer(5)]],
                                constant long* layout [[buffer(6)]],
                                uint2 position [[thread_position_in_grid]],
                                uint2 grid [[threads_per_grid]]) {
  const ulong index = linear_index(position, grid);
  if (index >= params.count) {
    return;
  }
  ulong at[5];
  operand_offsets<5>(index, params, layout, at);
  output[at[0]] = glu_tangent(y[at[1]], b[at[2]], da[at[3]], db[at[4]]);
}

template <class T>
struct GluGradientTangent {
  T of_a;
  T of_b;
  GluGradientTangent(T ga, T a, T b, T da, T db, T dg) {
    const float s = sigmoid(b);
    const float y = float(a) * s;
    const float db_rest = float(db) - float(db) * s;
    const float u = float(dg) * s + float(ga) * db_rest;
    of_a = T(u);
    of_b = T(u * (float(a) - y) + float(ga) * (float(da) - float(da) * s - y * db_rest));
  }
};

template <class T>
[[kernel]] void glu_backward_jvp_dense(
    device T* output_a [[buffer(0)]], device T* output_b [[buffer(1)]],
    device const T* ga [[buffer(2)]], device const T* a [[buffer(3)]],
    device const T* b [[buffer(4)]], device const T* da [[buffer(5)]],
    device const T* db [[buffer(6)]], device const T* dg [[buffer(7)]],
    constant ElementwiseParams& params [[buffer(8)]], uint2 position [[thread_position_in_grid]],
    uint2 grid [[threads_per_grid]]) {
  const ulong first = linear_index(position, grid);
  for (uint i = 0; i < kElementsPerThread; ++i) {
    const ulong index = first + i * params.threads;
    if (first < params.threads && index < params.count) {
      const GluGradientTangent<T> tangent(ga[index], a[index], b[index], da[index], db[index],
                                          dg[index]);
      output_a[index] = tangent.of_a;
      output_b[index] = tangent.of_b;
    }
  }
}

template <class T>
[[kernel]] void glu_backward_jvp_strided(
    device T* output_a [[buffer(0)]], device T* output_b [[buffer(1)]],
    device const T* ga [[buffer(2)]], device const T* a [[buffer(3)]],
    device const T* b [[buffer(4)]], device const T* da [[buffer(5)]],
    device const T* db [[buffer(6)]], device const T* dg [[buffer(7)]],
    constant ElementwiseParams& params [[buffer(8)]], constant long* layout [[buffer(9)]],
    uint2 position [[thread_position_in_grid]], uint2 grid [[threads_per_grid]]) {
  const ulong index = linear_index(position, grid);
  if (index >= params.count) {
    return;
  }
  ulong at[8];
  operand_offsets<8>(index, params, layout, at);
  const GluGradientTangent<T> tangent(ga[at[2]], a[at[3]], b[at[4]], da[at[5]], db[at[6]],
                                      dg[at[7]]);
  output_a[at[0]] = tangent.of_a;
  output_b[at[1]] = tangent.of_b;
}

INSTANTIATE_FLOATING("glu_jvp_dense", glu_jvp_dense)
INSTANTIATE_FLOATING("glu_jvp_strided", glu_jvp_strided)
INSTANTIATE_FLOATING("glu_backward_jvp_dense", glu_backward_jvp_dense)
INSTANTIATE_FLOATING("glu_backward_jvp_strided", glu_backward_jvp_strided)
