// What torch's MPS convolutions refuse: transposed ones of half and bfloat16 volumes, and integers.
// Everything else is passed on to them.
//
// Half volumes go through torch's own float32 kernels: they are tuned for the GPU, accumulate in
// float32, and have the gradients. For that a call holds float32 copies of its operands and of its
// result, 4 bytes per element of each; the operands' are freed before the result is cast back.
// None of our kernels runs. Integers have one of ours, forward only: one dispatch, no copies.
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>

#include "csrc/core/checks.h"
#include "csrc/core/kernel.h"
#include "csrc/core/original.h"
#include "metal/params/convolution.h"

namespace mpsops {

namespace {

using at::IntArrayRef;
using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

bool is_half_volume(const Tensor& tensor) {
  return tensor.dim() == 5 &&
         (tensor.scalar_type() == at::kHalf || tensor.scalar_type() == at::kBFloat16);
}

bool is_integral(const Tensor& tensor) {
  return c10::isIntegralType(tensor.scalar_type(), /*includeBool=*/true);
}

void check_same_type(const Tensor& input, const char* name, const Tensor& other) {
  TORCH_CHECK(input.options().type_equal(other.options()), "Input type (", input.toString(),
              ") and ", name, " type (", other.toString(), ") should be the same");
}

// The CPU has a kernel for each way to convolve, of different dtypes and names.
void check_plain_dtype(const Tensor& input, IntArrayRef dilation) {
  const bool dilated = std::any_of(dilation.begin(), dilation.end(), [](auto d) { return d != 1; });
  if (dilated) {
    check_dtype("slow_conv_dilated<>", input.scalar_type(), {at::kLong});
  } else {
    check_dtype(input.dim() == 5 ? "compute_columns3d" : "slow_conv2d_cpu", input.scalar_type(),
                kIntegralDtypes);
  }
}

void check_transposed_dtype(const Tensor& input) {
  check_dtype(input.dim() == 5 ? "slow_conv_transpose3d_out_cpu" : "slow_conv_transpose2d_out_cpu",
              input.scalar_type(), {at::kLong});
}

// Sizes or strides of batch, channel, depth, height, width; what a 4-D tensor lacks is `missing`.
std::array<int64_t, 5> five(IntArrayRef values, int64_t missing) {
  std::array<int64_t, 5> result{values[0], values[1], missing, 0, 0};
  std::copy(values.begin() + 2, values.end(), result.end() - (values.size() - 2));
  return result;
}

void fill_axes(int64_t (&axes)[3], IntArrayRef values, int64_t missing) {
  axes[0] = missing;
  std::copy(values.begin(), values.end(), std::end(axes) - values.size());
}

template <class Source, size_t Count>
void fill(int64_t (&target)[Count], const Source& source) {
  std::copy(source.end() - Count, source.end(), target);
}

// `sizes`: of the result.
Tensor convolve(const std::string& stem, const Tensor& input, const Tensor& weight,
                const OptionalTensor& bias, IntArrayRef sizes, IntArrayRef padding,
                IntArrayRef stride, IntArrayRef dilation, int64_t groups) {
  const auto format =
      input.dim() == 4 ? input.suggest_memory_format() : at::MemoryFormat::Contiguous;
  Tensor output = at::empty(sizes, input.options().memory_format(format));
  if (output.numel() == 0) {
    return output;
  }
  ConvolutionParams params{};
  params.outputs = output.numel();
  params.channels = sizes[1];
  params.input_channels_per_group = input.size(1) / groups;
  params.output_channels_per_group = sizes[1] / groups;
  fill(params.input_size, five(input.sizes(), 1));
  fill(params.kernel_size, five(weight.sizes(), 1));
  fill(params.output_size, five(sizes, 1));
  fill(params.input_strides, five(input.strides(), 0));
  fill(params.weight_strides, five(weight.strides(), 0));
  fill(params.output_strides, five(output.strides(), 0));
  fill_axes(params.stride, stride, 1);
  fill_axes(params.padding, padding, 0);
  fill_axes(params.dilation, dilation, 1);
  const Tensor added = bias.value_or(Tensor());
  params.has_bias = added.defined() ? 1 : 0;
  params.bias_stride = added.defined() ? added.stride(0) : 0;
  const Kernel& kernel = get_kernel("convolution", kernel_name(stem, {input.scalar_type()}));
  launch(kernel, grid_for(kernel, params.outputs), output, input, weight, added, params);
  return output;
}

Tensor convolution(const Tensor& input, const Tensor& weight, const OptionalTensor& bias,
                   IntArrayRef padding, IntArrayRef stride, IntArrayRef dilation, int64_t groups) {
  if (!is_integral(input)) {
    return pass_on<convolution>(input, weight, bias, padding, stride, dilation, groups);
  }
  check_same_type(input, "weight", weight);
  if (bias && bias->defined()) {
    check_same_type(input, "bias", *bias);
  }
  check_plain_dtype(input, dilation);
  c10::SmallVector<int64_t, 5> sizes{input.size(0), weight.size(0)};
  for (int64_t axis = 0; axis < input.dim() - 2; ++axis) {
    const int64_t window = dilation[axis] * (weight.size(axis + 2) - 1) + 1;
    sizes.push_back((input.size(axis + 2) + 2 * padding[axis] - window) / stride[axis] + 1);
  }
  return convolve("convolution", input, weight, bias, sizes, padding, stride, dilation, groups);
}

Tensor convolution_transpose(const Tensor& input, const Tensor& weight, IntArrayRef padding,
                             IntArrayRef output_padding, IntArrayRef stride, IntArrayRef dilation,
                             int64_t groups) {
  if (is_half_volume(input)) {
    check_same_type(input, "weight", weight);
    const Tensor output =
        original<convolution_transpose>(input.to(at::kFloat), weight.to(at::kFloat), padding,
                                        output_padding, stride, dilation, groups);
    return output.to(input.scalar_type());
  }
  if (!is_integral(input)) {
    return pass_on<convolution_transpose>(input, weight, padding, output_padding, stride, dilation,
                                          groups);
  }
  check_same_type(input, "weight", weight);
  check_transposed_dtype(input);
  c10::SmallVector<int64_t, 5> sizes{input.size(0), weight.size(1) * groups};
  for (int64_t axis = 0; axis < input.dim() - 2; ++axis) {
    sizes.push_back((input.size(axis + 2) - 1) * stride[axis] - 2 * padding[axis] +
                    dilation[axis] * (weight.size(axis + 2) - 1) + output_padding[axis] + 1);
  }
  return convolve("convolution_transpose", input, weight, std::nullopt, sizes, padding, stride,
                  dilation, groups);
}

std::tuple<Tensor, Tensor> convolution_transpose_backward(
    const Tensor& input, const Tensor& grad_output, const Tensor& weight, IntArrayRef padding,
    IntArrayRef output_padding, IntArrayRef stride, IntArrayRef dilation, int64_t groups,
    std::array<bool, 2> output_mask) {
  if (!is_half_volume(input)) {
    return pass_on<convolution_transpose_backward>(
        input, grad_output, weight, padding, output_padding, stride, dilation, groups, output_mask);
  }
  check_same_type(input, "weight", weight);
  auto [grad_input, grad_weight] = original<convolution_transpose_backward>(
      input.to(at::kFloat), grad_output.to(at::kFloat), weight.to(at::kFloat), padding,
      output_padding, stride, dilation, groups, output_mask);
  const auto back = [&](const Tensor& gradient) {
    return gradient.defined() ? gradient.to(input.scalar_type()) : gradient;
  };
  return {back(grad_input), back(grad_weight)};
}

}  // namespace

MPSOPS_FAMILY(convolution) {
  family.partial<convolution>("aten::_mps_convolution")
      .dtypes(kIntegralDtypes)
      .opinfo({"nn.functional.conv2d.integers"})
      .passes_on()
      .because("torch refuses integers");
  family.partial<convolution_transpose>("aten::_mps_convolution_transpose")
      .dtypes({at::kHalf, at::kBFloat16, at::kLong})
      .opinfo({"nn.functional.conv_transpose3d.halves", "nn.functional.conv_transpose2d.integers"})
      .passes_on()
      .because("torch refuses float16 and bfloat16 in three dimensions, and integers");
  family.partial<convolution_transpose_backward>("aten::mps_convolution_transpose_backward")
      .dtypes({at::kHalf, at::kBFloat16})
      .opinfo({"nn.functional.conv_transpose3d.halves"})
      .passes_on()
      .because("torch refuses float16 and bfloat16 in three dimensions");
}

}  // namespace mpsops
