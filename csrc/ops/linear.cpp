// linear of integers, which torch's MPS kernel refuses: composed as on the CPU, of mm, addmm and
// matmul, for which torch has Metal kernels in each integer dtype. Any other input is passed on. No
// kernel of ours: one or two of torch's, no scratch.
#include <ATen/core/Tensor.h>
#include <ATen/ops/linear_compositeimplicitautograd_dispatch.h>

#include "csrc/core/checks.h"
#include "csrc/core/original.h"

namespace mpsops {

namespace {

using at::Tensor;

// The CPU's words for what its products do not take either.
void check_product_dtype(const Tensor& input, const Tensor& weight) {
  if (input.dim() == 0 || weight.dim() == 0) {
    return;  // refused for that, below
  }
  const char* const product = weight.dim() == 2  ? "addmm_impl_cpu_"
                              : input.dim() == 1 ? "dot"
                                                 : "addmv_impl_cpu";
  check_dtype(product, input.scalar_type(), kIntegralDtypes);
}

Tensor linear(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias) {
  const auto is_integral = [](const Tensor& tensor) {
    return c10::isIntegralType(tensor.scalar_type(), /*includeBool=*/true);
  };
  if (is_integral(input) || is_integral(weight) ||
      (bias && bias->defined() && is_integral(*bias))) {
    if (is_integral(input) && weight.scalar_type() == input.scalar_type()) {
      check_product_dtype(input, weight);
    }
    return at::compositeimplicitautograd::linear(input, weight, bias);
  }
  return pass_on<linear>(input, weight, bias);
}

}  // namespace

MPSOPS_FAMILY(linear) {
  family.dtypes(kIntegralDtypes).opinfo({"nn.functional.linear.integers"});
  family.partial<linear>("aten::linear").passes_on().because("torch refuses integers");
}

}  // namespace mpsops
