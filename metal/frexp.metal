// frexp: x = mantissa * 2^exponent with 1/2 <= |mantissa| < 1; 0, infinities and NaN have exponent
// 0. Elementwise: one thread per 1 or 4 elements, one dispatch, the input read and both outputs
// written once. By bits, because Apple GPUs flush subnormal floats to zero.
#include "metal/common/elementwise.h"

// As the bits of the float of this value.
inline uint float_bits(float x) {
  return as_type<uint>(x);
}
inline uint float_bits(half x) {
  return as_type<uint>(float(x));
}
#ifndef MPSOPS_NO_BFLOAT
inline uint float_bits(bfloat x) {
  return uint(as_type<ushort>(x)) << 16;
}
#endif

struct Frexp {
  template <class T>
  T operator()(T x, thread int& exponent) const {
    const uint bits = float_bits(x);
    uint magnitude = bits & 0x7fffffffu;
    exponent = 0;
    if (magnitude == 0 || magnitude >= 0x7f800000u) {
      return x;
    }
    if (magnitude < 0x00800000u) {
      const uint shift = metal::clz(magnitude) - 8;
      magnitude <<= shift;
      exponent = -int(shift);
    }
    exponent += int(magnitude >> 23) - 126;
    return T(as_type<float>((bits & 0x80000000u) | 0x3f000000u | (magnitude & 0x007fffffu)));
  }
};

INSTANTIATE("frexp_dense_float32", unary_pair_dense, float, int, Frexp)
INSTANTIATE("frexp_dense_float16", unary_pair_dense, half, int, Frexp)
INSTANTIATE_BFLOAT("frexp_dense_bfloat16", unary_pair_dense, bfloat, int, Frexp)
INSTANTIATE("frexp_strided_float32", unary_pair_strided, float, int, Frexp)
INSTANTIATE("frexp_strided_float16", unary_pair_strided, half, int, Frexp)
INSTANTIATE_BFLOAT("frexp_strided_bfloat16", unary_pair_strided, bfloat, int, Frexp)
