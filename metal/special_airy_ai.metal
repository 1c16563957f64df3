// special_airy_ai: the Airy function Ai(x). Elementwise: one thread per 1 or 4 elements, one
// dispatch, each element read and written once.
//
// Float only, with zeta = 2/3 |x|^(3/2) and its error carried in a second float:
//   x < -4.75     Ai = M cos(zeta - pi/4 + correction), M and correction slow (DLMF 9.8)
//   x < -2        (x - a) (x - b) * polynomial, a and b the first zeros: right relative to them
//   x < 0         polynomial in x + 1
//   x <= 2        exp(-x) * polynomial
//   x > 2         exp(-zeta) x^(-1/4) * polynomial in 1 / x^(3/2)
// The phase has 48 bits: the error, relative to the envelope M, grows as 2^-48 zeta below
// x = -1e4. The coefficients are fits made for this file against 50-digit arithmetic.
// Error at most, in ulp (CPU float32 kernel): x > -4.75 4.3 (1e2, 1e6 in the tail); left of it, in
// ulp of M, 4.5 down to -1e5 (25 at -10, 1e7 at -1e5), 64 at -1e6.
#include "metal/common/elementwise.h"
#include "metal/common/float_float.h"

constant constexpr float kAiryPositive[] = {0.282094777f,  -0.0293846168f, 0.0235521719f,
                                            -0.035665907f, 0.0739376619f,  -0.16077441f,
                                            0.285161138f,  -0.327583015f,  0.17342867f};
constant constexpr float kAiryExp[] = {0.355028063f,     0.0962086469f,  -0.0813053325f,
                                       -0.0110674249f,   0.0092611853f,  0.000186815421f,
                                       -0.000605088891f, 3.1023661e-05f, 3.16579317e-05f,
                                       -7.12250585e-06f, 4.99638134e-07f};
constant constexpr float kAiryMiddle[] = {0.535560906f,   -0.0101605682f,  -0.267780453f,
                                          0.0909535885f,  0.0214683283f,   -0.0179368127f,
                                          0.00231615338f, 0.000938563084f, -0.000361630809f,
                                          1.8604409e-05f, 1.4448703e-05f,  -3.06506263e-06f};
// Ai(x) / ((x - a) (x - b)), a and b the first two zeros, in x + 27/8.
constant constexpr float kAiryZeros[] = {
    0.551882327f,    -0.00592932198f,  -0.182161629f,   0.0310855974f,    0.0215522796f,
    -0.00708841113f, -0.000775735243f, 0.00064598897f,  -4.98355039e-05f, -2.76093524e-05f,
    6.13050588e-06f, 4.06694909e-07f,  -2.32808205e-07f};
// M |x|^(1/4), and (phase - zeta + pi/4) |x|^(3/2), in |x|^-3.
constant constexpr float kAiryModulus[] = {0.564189553f, -0.0440751463f, 0.156122461f, -1.55144775f,
                                           15.7450829f};
constant constexpr float kAiryPhase[] = {-0.104166634f, 0.11985442f, -0.823723495f, 11.1241255f,
                                         -123.743088f};
// (sin(t) / t - 1) / t^2 and (cos(t) - 1 + t^2 / 2) / t^4 in t^2 for |t| <= pi/4.
constant constexpr float kSine[] = {-0.166666672f, 0.00833333004f, -0.000198393842f,
                                    2.71869931e-06f};
constant constexpr float kCosine[] = {0.0416666679f, -0.00138888857f, 2.47999433e-05f,
                                      -2.72410716e-07f};

// a - k * pi/2, with pi/2 in three floats.
inline FloatFloat subtract_quarters(FloatFloat a, float k) {
  a = add(a, two_product(-k, 1.57079637f));
  a = add(a, two_product(-k, -4.37113883e-08f));
  return add(a, -k * -1.71512451e-15f);
}

inline float cosine(FloatFloat angle) {
  const float whole = metal::rint(angle.hi * 0.636619772f);
  FloatFloat rest = subtract_quarters(angle, whole);
  // Above 2^24 quarters a float cannot name each: a second round takes what is left.
  const float more = metal::rint(rest.hi * 0.636619772f);
  rest = subtract_quarters(rest, more);
  const int quarter = int(whole - 4.0f * metal::floor(whole * 0.25f)) + int(more);
  const float t = rest.hi;
  const float square = t * t;
  float value;
  if ((quarter & 1) != 0) {
    value = t + metal::fma(t * square, polynomial(square, kSine, 3), rest.lo);
  } else {
    const float tail = metal::fma(square * square, polynomial(square, kCosine, 3), -t * rest.lo);
    value = 1.0f + metal::fma(-0.5f, square, tail);
  }
  return ((quarter + 1) & 2) != 0 ? -value : value;
}

// 2/3 |x|^(3/2).
inline FloatFloat airy_zeta(float magnitude) {
  const FloatFloat root = square_root(FloatFloat{magnitude, 0.0f});
  return multiply(multiply(root, magnitude), FloatFloat{0.666666687f, -1.98682155e-08f});
}

struct AiryAi {
  float operator()(float x) const {
    if (metal::isnan(x) || metal::isinf(x)) {
      return NAN;  // as the CPU kernel, also at +inf
    }
    if (x < -1e9f) {
      return 0.0f;  // inside the envelope, 3e-3 and falling; the phase is beyond two floats
    }
    if (x < -4.75f) {
      FloatFloat phase = airy_zeta(-x);
      const float inverse = 0.666666687f / phase.hi;
      const float square = inverse * inverse;
      const float correction = inverse * polynomial(square, kAiryPhase, 4);
      phase = add(phase, FloatFloat{-0.785398185f, 2.18556941e-08f});
      phase = add(phase, correction);
      const float modulus = polynomial(square, kAiryModulus, 4);
      return modulus * cosine(phase) / metal::precise::sqrt(metal::precise::sqrt(-x));
    }
    if (x < -2.0f) {
      // Each zero in two floats; the first difference is exact near it.
      const float first = (x - -2.33810735f) - -6.29713668e-08f;
      const float second = (x - -4.08794928f) - -1.68160511e-07f;
      return first * second * polynomial(x + 3.375f, kAiryZeros, 12);
    }
    if (x < 0.0f) {
      return polynomial(x + 1.0f, kAiryMiddle, 11);
    }
    if (x <= 2.0f) {
      return scaled_exp(FloatFloat{-x, 0.0f}, polynomial(x, kAiryExp, 10));
    }
    if (x > 103.892f) {
      return 0.0f;
    }
    const FloatFloat zeta = airy_zeta(x);
    const float slow = polynomial(0.666666687f / zeta.hi, kAiryPositive, 8);
    const float root = metal::precise::sqrt(metal::precise::sqrt(x));
    return scaled_exp(FloatFloat{-zeta.hi, -zeta.lo}, slow / root);
  }
};

INSTANTIATE_UNARY_FLOAT32("special_airy_ai", AiryAi)
