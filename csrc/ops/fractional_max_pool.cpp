// Kernels: metal/fractional_max_pool.metal. Where the CPU kernel asserts that windows lie within
// the input, which random samples from [0, 1) cannot break, windows are kept within it, and nothing
// waits for the device to tell. Backward ignores an index that no sample leads to.
#include <ATen/Dispatch.h>
#include <ATen/native/FractionalMaxPooling.h>

#include <algorithm>

#include "csrc/core/checks.h"
#include "csrc/core/overloads.h"
#include "csrc/core/registry.h"
#include "csrc/ops/pool.h"
#include "metal/params/fractional_max_pool.h"

namespace mpsops {

namespace {

using at::IntArrayRef;
using at::Tensor;

template <int SpatialDims>
constexpr const char* kOp = SpatialDims == 2 ? "fractional_max_pool2d" : "fractional_max_pool3d";

// The axis that a `size` over the pooled dimensions has for depth, height or width.
template <int SpatialDims>
int64_t size_along(IntArrayRef size, size_t axis) {
  const auto skipped = static_cast<size_t>(3 - SpatialDims);
  return axis < skipped ? 1 : size[axis - skipped];
}

template <int SpatialDims>
void check_kernel_fits(const Tensor& self, IntArrayRef kernel_size, IntArrayRef output_size) {
  // The names, and in three dimensions the order, of the CPU's checks.
  const auto check = [&](int64_t axis, const char* what) {
    const int64_t input = self.size(self.dim() - SpatialDims + axis);
    const int64_t needed = output_size[axis] + kernel_size[axis] - 1;
    TORCH_CHECK(SpatialDims == 2 ? needed <= input : needed < input, kOp<SpatialDims>,
                SpatialDims == 2 ? "(): pool " : "_out(): pool ", what, " ", kernel_size[axis],
                " too large relative to input ", what, " ", input);
  };
  if (SpatialDims == 2) {
    check(0, "height");
    check(1, "width");
  } else {
    check(0, "time");
    check(2, "width");
    check(1, "height");
  }
}

// Checks the arguments, and returns the sizes of the output.
template <int SpatialDims>
c10::SmallVector<int64_t, 5> check_forward(const Tensor& self, IntArrayRef kernel_size,
                                           IntArrayRef output_size) {
  const char* const ints = SpatialDims == 2 ? " must either be a single Int or tuple of Ints"
                                            : " must either be a single Int or tuple of three Ints";
  const char* const call = SpatialDims == 2 ? "()" : "_out()";
  TORCH_CHECK(kernel_size.size() == SpatialDims, kOp<SpatialDims>, ": kernel_size", ints);
  TORCH_CHECK(output_size.size() == SpatialDims, kOp<SpatialDims>, ": output_size", ints);
  TORCH_CHECK(self.dim() == SpatialDims + 1 || self.dim() == SpatialDims + 2, kOp<SpatialDims>,
              call, ": Expected ", SpatialDims + 1, "D or ", SpatialDims + 2,
              "D tensor, but got: ", self.sizes());
  for (int64_t dim = 1; dim < self.dim(); ++dim) {
    TORCH_CHECK(self.size(dim) > 0, kOp<SpatialDims>, call,
                ": Expected input to have non-zero size for non-batch dimensions, but got",
                self.sizes(), " with dimension ", dim, " being empty.");
  }
  check_kernel_fits<SpatialDims>(self, kernel_size, output_size);
  c10::SmallVector<int64_t, 5> sizes(self.sizes().begin(), self.sizes().end());
  std::copy(output_size.begin(), output_size.end(), sizes.end() - SpatialDims);
  for (const auto size : output_size) {
    TORCH_CHECK(size >= 0, "Trying to create tensor with negative dimension ", size, ": ",
                IntArrayRef(sizes));
  }
  return sizes;
}

// (input - kernel) / (output - 1) as the CPU kernel computes it.
float alpha_of(at::ScalarType dtype, int64_t room, int64_t steps) {
  float alpha = 0.0f;
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, dtype, "fractional_max_pool", [&] {
    alpha = static_cast<float>(static_cast<scalar_t>(room) / static_cast<scalar_t>(steps));
  });
  return alpha;
}

template <int SpatialDims>
FractionalWindowParams window_params(const PoolParams& pool, IntArrayRef kernel_size,
                                     const Tensor& samples) {
  FractionalWindowParams params{};
  params.sample_strides[0] = samples.stride(0);
  params.sample_strides[1] = samples.stride(1);
  for (size_t axis = 0; axis < 3; ++axis) {
    // A plane's samples are for (width, height), or (depth, height, width).
    params.sample_offset[axis] = static_cast<int64_t>(SpatialDims == 2 ? 2 - axis : axis);
    params.kernel_size[axis] = size_along<SpatialDims>(kernel_size, axis);
    if (pool.result_size[axis] > 1) {
      params.alpha[axis] =
          alpha_of(samples.scalar_type(), pool.source_size[axis] - params.kernel_size[axis],
                   pool.result_size[axis] - 1);
    }
  }
  return params;
}

template <int SpatialDims>
void run_forward(const Tensor& self, IntArrayRef kernel_size, const Tensor& random_samples,
                 const Tensor& output, const Tensor& indices) {
  Pool pool(SpatialDims, output, self, indices);
  const auto samples = random_samples.expect_contiguous();
  const auto params = window_params<SpatialDims>(pool.params, kernel_size, *samples);
  const Kernel& kernel = pool.kernel("fractional_max_pool", "fractional_max_pool",
                                     self.scalar_type(), IntArrayRef(params.kernel_size, 3));
  launch(kernel, pool.grid(kernel), output, indices, self, *samples, pool.params, params);
}

template <int SpatialDims>
std::tuple<Tensor&, Tensor&> fractional_max_pool_out(const Tensor& self, IntArrayRef kernel_size,
                                                     IntArrayRef output_size,
                                                     const Tensor& random_samples, Tensor& output,
                                                     Tensor& indices) {
  check_same_device(kOp<SpatialDims>, {{"output", output},
                                       {"indices", indices},
                                       {"self", self},
                                       {"random_samples", random_samples}});
  const auto sizes = check_forward<SpatialDims>(self, kernel_size, output_size);
  set_structured_output(output, sizes, self.options());
  set_structured_output(indices, sizes, self.options().dtype(at::kLong));
  at::native::fractional_max_pool_check_shape<SpatialDims>(self, random_samples);
  if (output.numel() > 0) {
    const char* const frame =
        SpatialDims == 2 ? "fractional_max_pool2d_out_frame" : "fractional_max_pool3d_out_frame";
    check_dtype(frame, self.scalar_type(), kFloatingDtypes);
    run_forward<SpatialDims>(self, kernel_size, random_samples, output, indices);
  }
  return {output, indices};
}

// How far from i * alpha window i may start, given six roundings to a dtype of that epsilon.
template <int SpatialDims>
FractionalReachParams reach_params(const PoolParams& pool, IntArrayRef kernel_size,
                                   at::ScalarType dtype) {
  const float epsilon = dtype == at::kFloat ? 0x1p-24f : dtype == at::kHalf ? 0x1p-11f : 0x1p-8f;
  FractionalReachParams params{};
  for (size_t axis = 0; axis < 3; ++axis) {
    const auto input = static_cast<float>(pool.result_size[axis]);
    const auto output = static_cast<float>(pool.source_size[axis]);
    const int64_t kernel = size_along<SpatialDims>(kernel_size, axis);
    const int64_t room = pool.result_size[axis] - kernel;
    params.kernel_size[axis] = static_cast<float>(std::max<int64_t>(kernel, 1));
    params.outputs_per_input[axis] = room > 0 ? (output - 1.0f) / static_cast<float>(room) : 0.0f;
    params.slack[axis] = 6.0f * epsilon * input + 0x1p-20f * input;
    params.rounding[axis] = 0x1p-20f * output;
  }
  return params;
}

template <int SpatialDims>
void run_backward(const Tensor& grad_output, IntArrayRef kernel_size, const Tensor& indices,
                  const Tensor& grad_input) {
  const auto dtype = grad_input.scalar_type();
  const char* const frame = SpatialDims == 2 ? "fractional_max_pool2d_backward_out_frame"
                                             : "fractional_max_pool3d_backward_out_frame";
  check_dtype(frame, dtype, kFloatingDtypes);
  check_scalar_type(grad_output, dtype);
  check_scalar_type(indices, at::kLong);
  if (grad_output.numel() == 0) {
    grad_input.zero_();
    return;
  }
  Pool pool(SpatialDims, grad_input, grad_output, indices);
  const auto params = reach_params<SpatialDims>(pool.params, kernel_size, dtype);
  const Kernel& kernel = pool.kernel("fractional_max_pool", "fractional_max_pool_backward", dtype);
  launch(kernel, pool.grid(kernel), grad_input, grad_output, indices, pool.params, params);
}

Tensor& fractional_max_pool2d_backward_out(const Tensor& grad_output, const Tensor& self,
                                           IntArrayRef kernel_size, IntArrayRef output_size,
                                           const Tensor& indices, Tensor& grad_input) {
  const char* const op = "fractional_max_pool2d_backward";
  check_same_device(op, {{"grad_input", grad_input},
                         {"grad_output", grad_output},
                         {"self", self},
                         {"indices", indices}});
  TORCH_CHECK(self.dim() == 3 || self.dim() == 4, op, ": self must have 3 or 4 dimensions, got ",
              self.dim());
  TORCH_CHECK(kernel_size.size() == 2, op, ": kernel_size must have 2 elements, got ",
              kernel_size.size());
  c10::SmallVector<int64_t, 4> sizes(self.sizes().begin(), self.sizes().end() - 2);
  sizes.append(output_size.begin(), output_size.end());
  TORCH_CHECK(grad_output.sizes() == IntArrayRef(sizes), op, "(): gradOutput sizes unexpected");
  TORCH_CHECK(indices.sizes() == IntArrayRef(sizes), op, "(): indices sizes unexpected");
  set_structured_output(grad_input, self.sizes(), self.options());
  run_backward<2>(grad_output, kernel_size, indices, grad_input);
  return grad_input;
}

// The CPU kernel checks the pooled dimensions only, and reads out of bounds where others differ.
Tensor& fractional_max_pool3d_backward_out(const Tensor& grad_output, const Tensor& self,
                                           IntArrayRef kernel_size, IntArrayRef output_size,
                                           const Tensor& indices, Tensor& grad_input) {
  const char* const op = "fractional_max_pool3d_backward";
  check_same_device(op, {{"grad_input", grad_input},
                         {"grad_output", grad_output},
                         {"self", self},
                         {"indices", indices}});
  TORCH_CHECK(self.dim() == 4 || self.dim() == 5, op, ": self must have 4 or 5 dimensions, got ",
              self.dim());
  for (const auto& [name, size] :
       {std::pair{"kernel_size", kernel_size}, std::pair{"output_size", output_size}}) {
    TORCH_CHECK(size.size() == 3, op, ": ", name, " must have 3 elements, got ", size.size());
  }
  const char* const axes[] = {"time", "height", "width"};
  for (int64_t axis = 0; axis < 3; ++axis) {
    TORCH_CHECK(output_size[axis] == grad_output.size(self.dim() - 3 + axis), op,
                "_out(): gradOutput ", axes[axis], " unexpected");
  }
  check_same_planes(op, 3, grad_output, self);
  TORCH_CHECK(indices.sizes() == grad_output.sizes(), op, ": indices must be of sizes ",
              grad_output.sizes(), ", got ", indices.sizes());
  set_output(grad_input, self.sizes(), self.options());
  check_scalar_type(grad_input, self.scalar_type());
  run_backward<3>(grad_output, kernel_size, indices, grad_input);
  return grad_input;
}

}  // namespace

MPSOPS_FAMILY(fractional_max_pool) {
  family.dtypes(kFloatingDtypes).opinfo({"fractional_max_pool2d", "fractional_max_pool3d"});
  family.missing<functional<fractional_max_pool_out<2>>>("aten::fractional_max_pool2d");
  family.missing<fractional_max_pool_out<2>>("aten::fractional_max_pool2d.output");
  family.missing<functional<fractional_max_pool2d_backward_out>>(
      "aten::fractional_max_pool2d_backward");
  family.missing<fractional_max_pool2d_backward_out>(
      "aten::fractional_max_pool2d_backward.grad_input");
  family.missing<functional<fractional_max_pool_out<3>>>("aten::fractional_max_pool3d");
  family.missing<fractional_max_pool_out<3>>("aten::fractional_max_pool3d.output");
  family.missing<functional<fractional_max_pool3d_backward_out>>(
      "aten::fractional_max_pool3d_backward");
  family.missing<fractional_max_pool3d_backward_out>(
      "aten::fractional_max_pool3d_backward.grad_input");
}

}  // namespace mpsops
