#include "csrc/core/elementwise.h"
#include "csrc/core/registry.h"

namespace mpsops {

namespace {
constexpr ElementwiseOp kLegendreP{"special_legendre_polynomial_p", "legendre_polynomial_p_cpu"};
}  // namespace

// The overloads with a Scalar are composite: they call the one registered here.
MPSOPS_FAMILY(special_legendre_polynomial_p) {
  family.dtypes(kFloat32Inputs).opinfo({"special.legendre_polynomial_p"});
  family.missing<binary_float<kLegendreP>>("aten::special_legendre_polynomial_p");
  family.missing<binary_float_out<kLegendreP>>("aten::special_legendre_polynomial_p.out");
}

}  // namespace mpsops
