// Stock MPS kernels that raise for some inputs, with torch's texts. Each row cites the function of
// torch that it speaks for.
#include "csrc/sim/device/limits.h"

#include <ATen/core/Tensor.h>

#include <unordered_map>

namespace mpsops::sim {

namespace {

using c10::IValue;

// AdaptivePooling.mm: set_kernel_params
void check_same_direction(int64_t input_height, int64_t input_width, int64_t output_height,
                          int64_t output_width) {
  TORCH_CHECK_NOT_IMPLEMENTED(
      (input_height >= output_height && input_width >= output_width) ||
          (input_height <= output_height && input_width <= output_width),
      "Adaptive pool MPS: Input height and width must both be greater than, or equal to, or lesser "
      "than output height and width");
}

void check_divisible(int64_t input_height, int64_t input_width, int64_t output_height,
                     int64_t output_width) {
  check_same_direction(input_height, input_width, output_height, output_width);
  const bool shrinks = input_height >= output_height;
  const bool divisible = shrinks
                             ? input_height % output_height == 0 && input_width % output_width == 0
                             : output_height % input_height == 0 && output_width % input_width == 0;
  TORCH_CHECK_NOT_IMPLEMENTED(
      divisible, "Adaptive pool MPS: ", shrinks ? "input" : "output",
      " sizes must be divisible by ", shrinks ? "output" : "input",
      " sizes. Non-divisible input sizes are not implemented on MPS device yet. For now, you can "
      "manually transfer tensor to cpu in this case. Please refer to [this "
      "issue](https://github.com/pytorch/pytorch/issues/96056)");
}

// Linear.mm: _mps_linear
void linear(const IValue* arguments) {
  const auto check = [](const IValue& value, const char* name) {
    const bool refused = value.isTensor() && value.toTensor().defined() &&
                         c10::isIntegralType(value.toTensor().scalar_type(), /*includeBool=*/true);
    TORCH_CHECK(!refused, "MPS device does not support linear for non-float ", name);
  };
  check(arguments[0], "inputs");
  check(arguments[1], "weights");
  check(arguments[2], "bias");
}

using PoolCheck = void (*)(int64_t, int64_t, int64_t, int64_t);

template <PoolCheck check>
void adaptive_pool(const IValue* arguments) {
  const auto& input = arguments[0].toTensor();
  const auto output = arguments[1].toIntVector();
  // Other ranks and sizes get the error of the shape check.
  if (input.dim() >= 3 && input.numel() > 0 && output.size() == 2 && output[0] > 0 &&
      output[1] > 0) {
    check(input.size(-2), input.size(-1), output[0], output[1]);
  }
}

template <PoolCheck check>
void adaptive_pool_backward(const IValue* arguments) {
  const auto& gradient = arguments[0].toTensor();
  const auto& input = arguments[1].toTensor();
  if (input.dim() >= 3 && input.numel() > 0 && gradient.dim() == input.dim() &&
      gradient.numel() > 0) {
    check(input.size(-2), input.size(-1), gradient.size(-2), gradient.size(-1));
  }
}

}  // namespace

// Convolution.mm: _mps_convolution_transpose, and what it has in common with _mps_convolution
void check_convolution(const at::Tensor& input, bool transposed) {
  TORCH_CHECK(!(transposed && input.dim() == 5 &&
                (input.scalar_type() == at::kHalf || input.scalar_type() == at::kBFloat16)),
              "ConvTranspose 3D with BF16 or FP16 types is not supported on MPS");
  TORCH_CHECK(at::isFloatingType(input.scalar_type()),
              "Convolution is supported only for Floating types");
}

Limit find_limit(const std::string& name) {
  static const std::unordered_map<std::string, Limit> rows = {
      {"linear", &linear},
      {"adaptive_avg_pool2d.out", &adaptive_pool<check_divisible>},
      {"_adaptive_avg_pool2d", &adaptive_pool<check_divisible>},
      {"_adaptive_avg_pool2d_backward", &adaptive_pool_backward<check_divisible>},
      {"adaptive_max_pool2d", &adaptive_pool<check_same_direction>},
      {"adaptive_max_pool2d.out", &adaptive_pool<check_same_direction>},
      {"adaptive_max_pool2d_backward", &adaptive_pool_backward<check_same_direction>},
      {"adaptive_max_pool2d_backward.grad_input", &adaptive_pool_backward<check_same_direction>},
  };
  const auto row = rows.find(name);
  return row == rows.end() ? nullptr : row->second;
}

}  // namespace mpsops::sim
