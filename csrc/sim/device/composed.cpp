// Stand-ins for ops that exist on MPS only: composed of CPU ops that compute the same.
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/_mps_convolution.h>
#include <ATen/ops/_mps_convolution_transpose.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/max_pool2d_with_indices.h>
#include <ATen/ops/max_pool2d_with_indices_backward.h>
#include <ATen/ops/mps_convolution_backward.h>
#include <ATen/ops/mps_convolution_transpose_backward.h>

#include <numeric>

#include "csrc/sim/device/composed_call.h"
#include "csrc/sim/device/install.h"
#include "csrc/sim/device/limits.h"

namespace mpsops::sim {

namespace {

using at::IntArrayRef;
using at::Tensor;
using OptionalTensor = std::optional<Tensor>;
using Gradients = std::tuple<Tensor, Tensor, Tensor>;
using Call = ComposedCall;

Tensor convolution_forward(const Tensor& input, const Tensor& weight, const OptionalTensor& bias,
                           IntArrayRef stride, IntArrayRef padding, IntArrayRef dilation,
                           bool transposed, IntArrayRef output_padding, int64_t groups) {
  check_convolution(input, transposed);
  Call cpu;
  return cpu.result(at::convolution(cpu(input), cpu(weight), cpu(bias), stride, padding, dilation,
                                    transposed, output_padding, groups));
}

Gradients convolution_gradients(const Tensor& grad_output, const Tensor& input,
                                const Tensor& weight, IntArrayRef stride, IntArrayRef padding,
                                IntArrayRef dilation, bool transposed, IntArrayRef output_padding,
                                int64_t groups, std::array<bool, 3> output_mask) {
  Call cpu;
  const int64_t channels = transposed ? weight.size(1) * groups : weight.size(0);
  return cpu.result(at::convolution_backward(cpu(grad_output), cpu(input), cpu(weight),
                                             IntArrayRef(channels), stride, padding, dilation,
                                             transposed, output_padding, groups, output_mask));
}

const std::vector<int64_t>& zeros(size_t count) {
  static const std::vector<int64_t> table[] = {{}, {0}, {0, 0}, {0, 0, 0}};
  return table[count];
}

// As torch's _convolution() where it chose its MPS backend.
Tensor convolution(const Tensor& input, const Tensor& weight, const OptionalTensor& bias,
                   IntArrayRef stride, IntArrayRef padding, IntArrayRef dilation, bool transposed,
                   IntArrayRef output_padding, int64_t groups) {
  if (!transposed) {
    return at::_mps_convolution(input, weight, bias, padding, stride, dilation, groups);
  }
  Tensor output = at::_mps_convolution_transpose(input, weight, padding, output_padding, stride,
                                                 dilation, groups);
  if (bias && bias->defined()) {
    std::vector<int64_t> sizes(input.dim(), 1);
    sizes[1] = -1;
    output.add_(bias->reshape(sizes));
  }
  return output;
}

// As its convolution_backward(), which sums the gradient of the bias itself.
Gradients convolution_backward(const Tensor& grad_output, const Tensor& input, const Tensor& weight,
                               IntArrayRef stride, IntArrayRef padding, IntArrayRef dilation,
                               bool transposed, IntArrayRef output_padding, int64_t groups,
                               std::array<bool, 3> output_mask) {
  Gradients gradients;
  auto& [grad_input, grad_weight, grad_bias] = gradients;
  if (transposed) {
    std::tie(grad_input, grad_weight) = at::mps_convolution_transpose_backward(
        input, grad_output, weight, padding, output_padding, stride, dilation, groups,
        {output_mask[0], output_mask[1]});
  } else {
    gradients = at::mps_convolution_backward(input, grad_output, weight, padding, stride, dilation,
                                             groups, {output_mask[0], output_mask[1], false});
  }
  if (output_mask[2]) {
    std::vector<int64_t> others(input.dim() - 1);
    std::iota(others.begin(), others.end(), 1);
    others[0] = 0;
    grad_bias = grad_output.sum(others);
  }
  return gradients;
}

Tensor mps_convolution(const Tensor& self, const Tensor& weight, const OptionalTensor& bias,
                       IntArrayRef padding, IntArrayRef stride, IntArrayRef dilation,
                       int64_t groups) {
  return convolution_forward(self, weight, bias, stride, padding, dilation, false,
                             zeros(padding.size()), groups);
}

Gradients mps_convolution_backward(const Tensor& self, const Tensor& grad_output,
                                   const Tensor& weight, IntArrayRef padding, IntArrayRef stride,
                                   IntArrayRef dilation, int64_t groups,
                                   std::array<bool, 3> output_mask) {
  return convolution_gradients(grad_output, self, weight, stride, padding, dilation, false,
                               zeros(padding.size()), groups, output_mask);
}

Tensor mps_convolution_transpose(const Tensor& self, const Tensor& weight, IntArrayRef padding,
                                 IntArrayRef output_padding, IntArrayRef stride,
                                 IntArrayRef dilation, int64_t groups) {
  return convolution_forward(self, weight, std::nullopt, stride, padding, dilation, true,
                             output_padding, groups);
}

std::tuple<Tensor, Tensor> mps_convolution_transpose_backward(
    const Tensor& self, const Tensor& grad_output, const Tensor& weight, IntArrayRef padding,
    IntArrayRef output_padding, IntArrayRef stride, IntArrayRef dilation, int64_t groups,
    std::array<bool, 2> output_mask) {
  const auto gradients =
      convolution_gradients(grad_output, self, weight, stride, padding, dilation, true,
                            output_padding, groups, {output_mask[0], output_mask[1], false});
  return {std::get<0>(gradients), std::get<1>(gradients)};
}

Gradients linear_backward(const Tensor& self, const Tensor& grad_output, const Tensor& weight,
                          std::array<bool, 3> output_mask) {
  Call cpu;
  const Tensor input = cpu(self);
  const Tensor grad = cpu(grad_output);
  Gradients gradients;
  if (output_mask[0]) {
    std::get<0>(gradients) = grad.matmul(cpu(weight));
  }
  const Tensor rows = grad.reshape({-1, grad.size(-1)});
  if (output_mask[1]) {
    std::get<1>(gradients) = rows.t().matmul(input.reshape({-1, input.size(-1)}));
  }
  if (output_mask[2]) {
    std::get<2>(gradients) = rows.sum(0);
  }
  return cpu.result(gradients);
}

Tensor max_pool2d_backward(const Tensor& grad_output, const Tensor& self, IntArrayRef kernel_size,
                           IntArrayRef stride, IntArrayRef padding, IntArrayRef dilation,
                           bool ceil_mode) {
  Call cpu;
  const Tensor input = cpu(self);
  const auto pooled =
      at::max_pool2d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode);
  return cpu.result(at::max_pool2d_with_indices_backward(cpu(grad_output), input, kernel_size,
                                                         stride, padding, dilation, ceil_mode,
                                                         std::get<1>(pooled)));
}

// Reached on a Mac only from inside torch's MPS build, which on Linux takes the generic path.
void not_simulated(const c10::OperatorHandle& op, torch::jit::Stack* /*stack*/) {
  TORCH_CHECK(false, "mpsops.simulator: ", op.schema().operator_name(),
              " is internal to torch's MPS build and is not simulated");
}

}  // namespace

void register_composed(torch::Library& aten) {
  aten.impl("convolution_overrideable", TORCH_FN(convolution));
  aten.impl("convolution_backward_overrideable", TORCH_FN(convolution_backward));
  aten.impl("_mps_convolution", TORCH_FN(mps_convolution));
  aten.impl("mps_convolution_backward", TORCH_FN(mps_convolution_backward));
  aten.impl("_mps_convolution_transpose", TORCH_FN(mps_convolution_transpose));
  aten.impl("mps_convolution_transpose_backward", TORCH_FN(mps_convolution_transpose_backward));
  aten.impl("linear_backward", TORCH_FN(linear_backward));
  aten.impl("max_pool2d_backward", TORCH_FN(max_pool2d_backward));
  for (const char* name :
       {"_lstm_mps", "lstm_mps_backward", "_convert_weight_to_int4pack", "_weight_int4pack_mm"}) {
    aten.impl(name, torch::CppFunction::makeFromBoxedFunction<&not_simulated>());
  }
}

}  // namespace mpsops::sim
