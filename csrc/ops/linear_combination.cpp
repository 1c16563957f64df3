// _compute_linear_combination. Kernels: metal/linear_combination.metal.
#include <ATen/TensorIterator.h>
#include <ATen/ops/empty.h>

#include "csrc/core/checks.h"
#include "csrc/core/kernel.h"
#include "csrc/core/registry.h"
#include "csrc/core/strided.h"
#include "metal/params/linear_combination.h"

namespace mpsops {

namespace {

constexpr std::initializer_list<at::ScalarType> kDtypes = {
    at::kFloat, at::kHalf,  at::kBFloat16, at::kComplexFloat, at::kLong,
    at::kInt,   at::kShort, at::kChar,     at::kByte,         at::kBool};

c10::DimVector output_sizes(const at::Tensor& input, const at::Tensor& coefficients) {
  c10::DimVector sizes(input.sizes());
  sizes[0] = coefficients.size(0);
  return sizes;
}

// What the CPU kernel takes for granted, and reads beyond its inputs otherwise.
void check_operands(const at::Tensor& input, const at::Tensor& coefficients,
                    const at::Tensor& output) {
  const auto dtype = input.scalar_type();
  check_dtype("_compute_linear_combination_cpu", dtype, kDtypes);
  TORCH_CHECK(coefficients.scalar_type() == c10::toRealValueType(dtype),
              "_compute_linear_combination: coefficients must be ", c10::toRealValueType(dtype),
              ", got ", coefficients.scalar_type());
  TORCH_CHECK(output.scalar_type() == dtype, "_compute_linear_combination: out must be ", dtype,
              ", got ", output.scalar_type());
  TORCH_CHECK(coefficients.dim() == 2 && coefficients.size(1) <= input.size(0),
              "_compute_linear_combination: coefficients must be a matrix with at most ",
              input.size(0), " columns, got sizes ", coefficients.sizes());
}

void launch_linear_combination(const at::Tensor& input, const at::Tensor& coefficients,
                               const at::Tensor& output, bool add) {
  check_operands(input, coefficients, output);
  LinearCombinationParams params{};
  params.input_row = strided_shape_without(input, 0);
  params.output_row = strided_shape_without(output, 0);
  params.elements = c10::multiply_integers(input.sizes().slice(1));
  params.terms = coefficients.size(1);
  params.outputs = coefficients.size(0);
  params.input_stride = input.stride(0);
  params.output_stride = output.stride(0);
  params.coefficient_strides[0] = coefficients.stride(0);
  params.coefficient_strides[1] = coefficients.stride(1);
  params.add = add ? 1 : 0;
  const Kernel& kernel =
      get_kernel("linear_combination", kernel_name("linear_combination", {input.scalar_type()}));
  launch(kernel, grid_for(kernel, params.elements), output, input, coefficients, params);
}

at::Tensor linear_combination(const at::Tensor& input, const at::Tensor& coefficients) {
  check_same_device("_compute_linear_combination",
                    {{"input", input}, {"coefficients", coefficients}});
  TORCH_CHECK(input.ndimension() > 0 && input.numel() > 0, "Empty tensor not supported");
  coefficients.size(1);  // raises if there is none
  const at::Tensor output = at::empty(output_sizes(input, coefficients),
                                      input.options().memory_format(at::MemoryFormat::Contiguous));
  launch_linear_combination(input, coefficients, output, false);
  return output;
}

// As an output of the iterator that the CPU kernel runs over, with its words.
void check_output_sizes(const at::Tensor& input, const at::Tensor& coefficients,
                        const at::Tensor& output) {
  const auto expected = output_sizes(input, coefficients);
  if (output.sizes().equals(expected)) {
    return;
  }
  c10::DimVector sizes(expected);
  sizes.insert(sizes.begin() + 1, 1);
  const at::Tensor wanted = at::empty(sizes, output.options().device(at::kMeta));
  const at::Tensor given = at::empty(output.sizes(), wanted.options()).unsqueeze(1);
  at::TensorIteratorConfig().resize_outputs(false).add_output(given).add_input(wanted).build();
  TORCH_CHECK(false, "_compute_linear_combination: out must have sizes ", at::IntArrayRef(expected),
              ", got ", output.sizes());
}

// Adds to what `output` holds, as the CPU kernel does.
at::Tensor& linear_combination_out(const at::Tensor& input, const at::Tensor& coefficients,
                                   at::Tensor& output) {
  check_same_device("_compute_linear_combination_out",
                    {{"input", input}, {"coefficients", coefficients}, {"out", output}});
  coefficients.size(1);
  TORCH_CHECK(input.dim() > 0 && output.dim() > 0,
              "_compute_linear_combination: input and out must have at least 1 dimension");
  check_output_sizes(input, coefficients, output);
  if (output.numel() > 0) {
    launch_linear_combination(input, coefficients, output, true);
  }
  return output;
}

}  // namespace

MPSOPS_FAMILY(linear_combination) {
  family.dtypes(kDtypes).opinfo({"_compute_linear_combination"});
  family.missing<linear_combination>("aten::_compute_linear_combination");
  family.missing<linear_combination_out>("aten::_compute_linear_combination.out");
}

}  // namespace mpsops
