#include "csrc/core/elementwise.h"
#include "csrc/core/registry.h"

namespace mpsops {

namespace {
constexpr ElementwiseOp kLogNdtr{"special_log_ndtr", "log_ndtr_cpu"};
}  // namespace

MPSOPS_FAMILY(special_log_ndtr) {
  family.dtypes(kFloat32Inputs).opinfo({"special.log_ndtr"});
  family.missing<unary_float<kLogNdtr>>("aten::special_log_ndtr");
  family.missing<unary_float_out<kLogNdtr>>("aten::special_log_ndtr.out");
}

}  // namespace mpsops
