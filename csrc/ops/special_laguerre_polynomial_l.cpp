#include "csrc/core/elementwise.h"
#include "csrc/core/registry.h"

namespace mpsops {

namespace {
constexpr ElementwiseOp kLaguerreL{"special_laguerre_polynomial_l", "laguerre_polynomial_l_cpu"};
}  // namespace

// The overloads with a Scalar are composite: they call the one registered here.
MPSOPS_FAMILY(special_laguerre_polynomial_l) {
  family.dtypes(kFloat32Inputs).opinfo({"special.laguerre_polynomial_l"});
  family.missing<binary_float<kLaguerreL>>("aten::special_laguerre_polynomial_l");
  family.missing<binary_float_out<kLaguerreL>>("aten::special_laguerre_polynomial_l.out");
}

}  // namespace mpsops
