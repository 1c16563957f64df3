#include <ATen/TensorIterator.h>

#include "csrc/core/checks.h"
#include "csrc/core/elementwise.h"
#include "csrc/core/registry.h"

namespace mpsops {

namespace {

std::tuple<at::Tensor&, at::Tensor&> frexp_out(const at::Tensor& self, at::Tensor& mantissa,
                                               at::Tensor& exponent) {
  check_same_device("frexp", {{"self", self}, {"mantissa", mantissa}, {"exponent", exponent}});
  const auto dtype = self.scalar_type();
  TORCH_CHECK(at::isFloatingType(dtype), "torch.frexp() only supports floating-point dtypes");
  TORCH_CHECK(mantissa.dtype() == self.dtype(), "torch.frexp() expects mantissa to have dtype ",
              self.dtype(), " but got ", mantissa.dtype());
  TORCH_CHECK(exponent.dtype() == at::kInt, "torch.frexp() expects exponent to have int dtype ",
              "but got ", exponent.dtype());
  at::TensorIterator iterator = at::TensorIteratorConfig()
                                    .add_output(mantissa)
                                    .add_output(exponent)
                                    .add_const_input(self)
                                    .check_all_same_dtype(false)
                                    .set_check_mem_overlap(true)
                                    .build();
  launch_over("frexp", "frexp", {dtype}, iterator);
  return {mantissa, exponent};
}

}  // namespace

MPSOPS_FAMILY(frexp) {
  family.dtypes(kFloatingDtypes).opinfo({"frexp"});
  family.missing<frexp_out>("aten::frexp.Tensor_out");
}

}  // namespace mpsops
