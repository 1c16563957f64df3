// special_ndtri: x with Phi(x) = y, Phi the normal distribution function. Elementwise: one thread
// per 1 or 4 elements, one dispatch, each element read and written once.
//
// Float only. |y - 1/2| <= 3/8: odd minimax polynomial. Tails: with r = sqrt(-2 log(tail)) in two
// floats, x = r - d(r) where d is slow and minimax in (r - 5) / (r + 3). The coefficients are fits
// made for this file against 50-digit arithmetic. Error: 1.9 ulp at most (CPU float32 kernel: 4.2).
#include "metal/common/elementwise.h"
#include "metal/common/float_float.h"

// (ndtri(1/2 + c) / c - sqrt(2 pi)) / c^2 in c^2.
constant constexpr float kNdtriCenter[] = {2.62493157f,  5.77366924f, 15.539834f,  54.1098289f,
                                           -72.9379349f, 4767.18311f, -49343.793f, 379800.406f,
                                           -1537351.12f, 2999793.75f};
// r + ndtri(exp(-r^2 / 2)) in (r - 5) / (r + 3), from tail 1/8 down to 2^-149.
constant constexpr float kNdtriTail[] = {0.519685328f,    -0.537155688f,   0.106785737f,
                                         -0.0683577284f,  0.0143426126f,   -0.0156217376f,
                                         0.00148737337f,  -0.00464865007f, -0.000530663587f,
                                         -0.00389103987f, -0.00163351104f};

struct Ndtri {
  // Bits order non-negative floats, and see subnormals that arithmetic may flush.
  float operator()(float y) const {
    const uint bits = as_type<uint>(y);
    if ((bits << 1) == 0) {
      return -INFINITY;
    }
    if (bits == as_type<uint>(1.0f)) {
      return INFINITY;
    }
    if (bits > as_type<uint>(1.0f)) {
      return NAN;
    }
    const float c = y - 0.5f;
    if (metal::fabs(c) <= 0.375f) {
      const float square = c * c;
      const float correction =
          metal::fma(square, polynomial(square, kNdtriCenter, 9), -2.86602048e-10f);
      return metal::fma(c, 2.50662827f, c * correction);
    }
    const bool lower = c < 0.0f;
    const float tail = lower ? y : 1.0f - y;
    FloatFloat squared = log_float_float(tail);
    squared.hi *= -2.0f;
    squared.lo *= -2.0f;
    const FloatFloat r = square_root(squared);
    const float d = polynomial((r.hi - 5.0f) / (r.hi + 3.0f), kNdtriTail, 10);
    const float x = r.hi - (d - r.lo);
    return lower ? -x : x;
  }
};

INSTANTIATE_UNARY_FLOAT32("special_ndtri", Ndtri)
