#include "csrc/core/checks.h"
#include "csrc/core/elementwise.h"
#include "csrc/core/overloads.h"
#include "csrc/core/registry.h"

namespace mpsops {

namespace {

at::Tensor& heaviside_out(const at::Tensor& self, const at::Tensor& values, at::Tensor& out) {
  TORCH_CHECK(!self.is_complex() && !values.is_complex() && !(out.defined() && out.is_complex()),
              "heaviside is not yet implemented for complex tensors.");
  TORCH_CHECK(self.dtype() == values.dtype() && (!out.defined() || out.dtype() == self.dtype()),
              "heaviside is not yet implemented for tensors with different dtypes.");
  at::TensorIterator iterator;
  iterator.build_borrowing_binary_op(out, self, values);
  check_dtype("heaviside_cpu", iterator.common_dtype(), kAllDtypes);
  launch_over("heaviside", "heaviside", {iterator.common_dtype()}, iterator);
  return out = iterator.output();
}

}  // namespace

MPSOPS_FAMILY(heaviside) {
  family.dtypes(kAllDtypes).opinfo({"heaviside"});
  family.missing<functional<heaviside_out>>("aten::heaviside");
  family.missing<inplace<heaviside_out>>("aten::heaviside_");
  family.missing<heaviside_out>("aten::heaviside.out");
}

}  // namespace mpsops
