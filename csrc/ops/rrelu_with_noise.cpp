// Kernels: metal/rrelu_with_noise.metal. Outside training this is torch's own leaky_relu, as on the
// CPU, and noise is not written.
#include <ATen/MemoryOverlap.h>
#include <ATen/ops/leaky_relu.h>

#include <limits>

#include "csrc/core/checks.h"
#include "csrc/core/kernel.h"
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

RreluWithNoiseStrides make_strides(const at::Tensor& self, const at::Tensor& noise,
                                   const at::Tensor& output) {
  RreluWithNoiseStrides strides{};
  constexpr int64_t kMaxDimensions = std::extent_v<decltype(RreluWithNoiseStrides::size)>;
  TORCH_CHECK(self.dim() <= kMaxDimensions, "rrelu_with_noise: self must have at most ",
              kMaxDimensions, " dimensions, got ", self.dim());
  strides.dimensions = static_cast<uint32_t>(self.dim());
  for (int64_t k = 0; k < self.dim(); ++k) {
    const int64_t dim = self.dim() - 1 - k;
    strides.size[k] = self.size(dim);
    strides.input[k] = self.stride(dim);
    strides.noise[k] = noise.stride(dim);
    strides.output[k] = output.stride(dim);
  }
  return strides;
}

void launch_training(const at::Tensor& self, const at::Tensor& noise, const at::Scalar& lower,
                     const at::Scalar& upper, const std::optional<at::Generator>& generator,
                     const at::Tensor& output) {
  const auto dtype = self.scalar_type();
  check_dtype("rrelu_with_noise_out_cpu", dtype, {at::kFloat, at::kBFloat16});
  RreluWithNoiseParams params{};
  params.lower = lower.to<float>();
  params.upper = upper.to<float>();
  check_scalar_type(output, dtype);
  check_scalar_type(noise, dtype);
  at::assert_no_internal_overlap(output);
  at::assert_no_internal_overlap(noise);
  if (self.numel() == 0) {
    return;
  }
  check_range(params.lower, params.upper);
  const int64_t blocks = (self.numel() + 3) / 4;
  params.philox = take_philox_blocks(generator, blocks);
  params.count = self.numel();

  constexpr auto kFamily = "rrelu_with_noise";
  if (self.is_contiguous() && noise.is_contiguous() && output.is_contiguous()) {
    const auto& kernel = get_kernel(kFamily, kernel_name(kFamily, {dtype}));
    launch(kernel, grid_for(kernel, blocks), output, noise, self, params);
    return;
  }
  const auto& kernel = get_kernel(kFamily, kernel_name("rrelu_with_noise_strided", {dtype}));
  const auto strides = make_strides(self, noise, output);
  launch(kernel, grid_for(kernel, blocks), output, noise, self, params, strides);
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
