// Kernels: metal/binomial.metal. The generator advances by one block of four numbers per element.
// Nothing waits: the CPU kernel raises for no values either.
#include <ATen/ExpandUtils.h>
#include <ATen/TensorIterator.h>
#include <ATen/ops/empty.h>

#include "csrc/core/checks.h"
#include "csrc/core/elementwise.h"
#include "csrc/core/random.h"
#include "csrc/core/registry.h"

namespace mpsops {

namespace {

at::Tensor binomial(const at::Tensor& count, const at::Tensor& prob,
                    std::optional<at::Generator> generator) {
  TORCH_CHECK_VALUE(
      count.is_floating_point(),
      "binomial only supports floating-point dtypes for count, got: ", count.scalar_type());
  TORCH_CHECK_VALUE(
      prob.is_floating_point(),
      "binomial only supports floating-point dtypes for prob, got: ", prob.scalar_type());
  // The CPU kernel allocates for the shape of count, and resizes that with a warning.
  at::Tensor output = at::empty(at::infer_size(count.sizes(), prob.sizes()), count.options());
  // Numbers belong to logical positions, whatever the strides of the operands.
  at::TensorIterator iterator = at::TensorIteratorConfig()
                                    .add_output(output)
                                    .add_const_input(count)
                                    .add_const_input(prob)
                                    .enforce_linear_iteration()
                                    .build();
  check_dtype("binomial_cpu", count.scalar_type(), {at::kFloat});
  const PhiloxParams philox = take_philox_blocks(generator, output.numel());
  launch_over("binomial", "binomial", {count.scalar_type()}, iterator, philox);
  return output;
}

}  // namespace

MPSOPS_FAMILY(binomial) {
  family.dtypes({at::kFloat}).opinfo({"binomial"});
  family.missing<binomial>("aten::binomial");
}

}  // namespace mpsops
