// Kernels: metal/rrelu_with_noise.metal. Outside training this is torch's own leaky_relu, as on the
// CPU, and noise is not written.
#include <ATen/TensorIterator.h>
#include <ATen/ops/leaky_relu.h>

#include <limits>

#include "csrc/core/checks.h"
#include "csrc/core/elementwise.h"
#include "csrc/core/overloads.h"
#include "csrc/core/random.h"
#include "csrc/core/registry.h"
#include "metal/params/rrelu_with_noise.h"

namespace mpsops {

namespace {

// As at::uniform_real_distribution<double>, which the CPU kernel makes for each x <= 0. Here it is
// checked whatever the values are.
void check_range(double from, double to) {
  using T = double;
  TORCH_CHECK(from <= to);
  TORCH_CHECK(to - from <= std::numeric_limits<T>::max());
}

void launch_training(const at::Tensor& self, const at::Tensor& noise, const at::Scalar& lower,
                     const at::Scalar& upper, const std::optional<at::Generator>& generator,
                     const at::Tensor& output) {
  const auto dtype = self.scalar_type();
  check_dtype("rrelu_with_noise_out_cpu", dtype, {at::kFloat, at::kBFloat16});
  check_scalar_type(output, dtype);
  check_scalar_type(noise, dtype);
  // Numbers belong to logical positions, whatever the strides of the operands.
  at::TensorIterator iterator = at::TensorIteratorConfig()
                                    .add_output(output)
                                    .add_output(noise)
                                    .add_const_input(self)
                                    .enforce_linear_iteration()
                                    .set_check_mem_overlap(true)
                                    .build();
  if (self.numel() == 0) {
    return;
  }
  RreluWithNoiseParams params{};
  params.lower = lower.to<float>();
  params.upper = upper.to<float>();
  check_range(params.lower, params.upper);
  constexpr int64_t kBlock = 4;
  params.philox = take_philox_blocks(generator, (self.numel() + kBlock - 1) / kBlock);
  launch_over<kBlock>("rrelu_with_noise", "rrelu_with_noise", {dtype}, iterator, params);
}

at::Tensor& rrelu_with_noise_out(const at::Tensor& self, at::Tensor& noise, const at::Scalar& lower,
                                 const at::Scalar& upper, bool training,
                                 std::optional<at::Generator> generator, at::Tensor& output) {
  check_same_device("rrelu_with_noise", {{"self", self}, {"noise", noise}, {"out", output}});
  TORCH_CHECK(self.sizes() == noise.sizes(),
              "noise tensor shape must match self tensor shape. Got self.shape = ", self.sizes(),
              " noise.shape = ", noise.sizes());
  set_output(output, self.sizes(), self.options());
  if (!training) {
    return at::leaky_relu_out(output, self, (lower.to<double>() + upper.to<double>()) / 2);
  }
  launch_training(self, noise, lower, upper, generator, output);
  return output;
}

}  // namespace

MPSOPS_FAMILY(rrelu_with_noise) {
  family.dtypes({at::kFloat, at::kBFloat16}).opinfo({"nn.functional.rrelu"});
  family.missing<functional<rrelu_with_noise_out>>("aten::rrelu_with_noise");
  family.missing<inplace<rrelu_with_noise_out>>("aten::rrelu_with_noise_");
  family.missing<rrelu_with_noise_out>("aten::rrelu_with_noise.out");
}

}  // namespace mpsops
