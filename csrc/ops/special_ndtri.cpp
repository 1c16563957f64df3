#include "csrc/core/elementwise.h"
#include "csrc/core/registry.h"

namespace mpsops {

namespace {
constexpr ElementwiseOp kNdtri{"special_ndtri", "ndtri_cpu"};
}  // namespace

MPSOPS_FAMILY(special_ndtri) {
  family.dtypes(kFloat32Inputs).opinfo({"special.ndtri"});
  family.missing<unary_float<kNdtri>>("aten::special_ndtri");
  family.missing<unary_float_out<kNdtri>>("aten::special_ndtri.out");
}

}  // namespace mpsops
