// relu or gelu of addmm: torch's own addmm, which is fast on MPS, and its activation in place. No
// kernel of ours; nothing waits. gelu is the exact one, as on the CPU; CUDA takes tanh's.
#include <ATen/ops/addmm.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/relu.h>

#include "csrc/core/checks.h"
#include "csrc/core/overloads.h"
#include "csrc/core/registry.h"

namespace mpsops {

namespace {

using at::Tensor;

constexpr std::initializer_list<at::ScalarType> kDtypes = {
    at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort, at::kChar, at::kByte};

void activate(Tensor& result, bool use_gelu) {
  if (use_gelu) {
    at::gelu_(result);
  } else {
    at::relu_(result);
  }
}

void check_dtypes(const Tensor& self, bool use_gelu) {
  if (use_gelu) {
    if (!self.is_complex()) {
      check_dtype("addmm_impl_cpu_", self.scalar_type(), kDtypes);
    }
    check_dtype("GeluKernelImpl", self.scalar_type(), kFloatingDtypes);
    return;
  }
  TORCH_CHECK_NOT_IMPLEMENTED(!self.is_complex(), "clamp is not supported for complex types");
  check_dtype("addmm_impl_cpu_", self.scalar_type(), kDtypes);
}

Tensor addmm_activation(const Tensor& self, const Tensor& mat1, const Tensor& mat2,
                        const at::Scalar& beta, const at::Scalar& alpha, bool use_gelu) {
  check_dtypes(self, use_gelu);
  Tensor result = at::addmm(self, mat1, mat2, beta, alpha);
  activate(result, use_gelu);
  return result;
}

Tensor& addmm_activation_out(const Tensor& self, const Tensor& mat1, const Tensor& mat2,
                             const at::Scalar& beta, const at::Scalar& alpha, bool use_gelu,
                             Tensor& out) {
  check_dtypes(self, use_gelu);
  at::addmm_out(out, self, mat1, mat2, beta, alpha);
  // The last bit of torch's gelu depends on strides.
  const DenseOutput dense(out);
  Tensor result = *dense;
  activate(result, use_gelu);
  dense.copy_back();
  return out;
}

}  // namespace

MPSOPS_FAMILY(addmm_activation) {
  family.dtypes(kDtypes).opinfo({"_addmm_activation"});
  family.missing<addmm_activation>("aten::_addmm_activation");
  family.missing<addmm_activation_out>("aten::_addmm_activation.out");
}

}  // namespace mpsops
