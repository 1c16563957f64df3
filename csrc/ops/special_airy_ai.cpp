#include "csrc/core/elementwise.h"
#include "csrc/core/registry.h"

namespace mpsops {

namespace {
constexpr ElementwiseOp kAiryAi{"special_airy_ai", "airy_ai_cpu"};
}  // namespace

MPSOPS_FAMILY(special_airy_ai) {
  family.dtypes(kFloat32Inputs).opinfo({"special.airy_ai"});
  family.missing<unary_float<kAiryAi>>("aten::special_airy_ai");
  family.missing<unary_float_out<kAiryAi>>("aten::special_airy_ai.out");
}

}  // namespace mpsops
