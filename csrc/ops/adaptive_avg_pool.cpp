#include <ATen/ops/empty.h>

#include "csrc/core/checks.h"
#include "csrc/core/registry.h"
#include "csrc/ops/adaptive_pool.h"
#include "csrc/ops/pool.h"

namespace mpsops {

namespace {

using at::IntArrayRef;
using at::MemoryFormat;
using at::Tensor;

void run_forward(int64_t spatial_dims, const Tensor& output, const Tensor& input) {
  Pool pool(spatial_dims, output, input);
  if (pool.empty()) {
    return;
  }
  const Kernel& kernel = pool.kernel("adaptive_avg_pool", "adaptive_avg_pool", input.scalar_type(),
                                     pool.adaptive_windows());
  launch(kernel, pool.grid(kernel), output, input, pool.params);
}

void run_backward(int64_t spatial_dims, const Tensor& grad_input, const Tensor& grad_output) {
  Pool pool(spatial_dims, grad_input, grad_output);
  if (pool.empty()) {
    return;
  }
  const Kernel& kernel =
      pool.kernel("adaptive_avg_pool", "adaptive_avg_pool_backward", grad_input.scalar_type());
  launch(kernel, pool.grid(kernel), grad_input, grad_output, pool.params);
}

void check_floating(const char* name, const Tensor& tensor) {
  check_dtype(name, tensor.scalar_type(), kFloatingDtypes);
}

// The CPU kernels of 2-D pooling name themselves by the layout.
void check_floating_2d(std::string name, const Tensor& tensor) {
  if (tensor.suggest_memory_format() == MemoryFormat::ChannelsLast) {
    name += "_channels_last";
  }
  check_floating(name.c_str(), tensor);
}

MemoryFormat output_format_2d(const Tensor& input) {
  return input.dim() == 4 ? input.suggest_memory_format() : MemoryFormat::Contiguous;
}

void check_forward_2d(const Tensor& self, IntArrayRef output_size) {
  TORCH_CHECK(output_size.size() == 2, "adaptive_avg_pool2d: output_size must be 2");
  TORCH_CHECK(self.dim() == 3 || self.dim() == 4,
              "adaptive_avg_pool2d(): Expected 3D or 4D tensor, but got ", self.sizes());
  check_not_empty_from(self.dim() - 2, "adaptive_avg_pool2d", "input", self);
}

void check_forward_3d(const Tensor& self, IntArrayRef output_size) {
  TORCH_CHECK(output_size.size() == 3, "adaptive_avg_pool3d: output_size must be 3");
  TORCH_CHECK(self.dim() == 4 || self.dim() == 5,
              "adaptive_avg_pool3d(): Expected 4D or 5D tensor, but got ", self.sizes());
  check_not_empty_from(1, "adaptive_avg_pool3d", "input", self);
}

void check_out_dtype(const Tensor& self, const Tensor& out) {
  TORCH_CHECK(self.dtype() == out.dtype(), "expected dtype ", self.dtype(),
              " for `output` but got dtype ", out.dtype());
}

void forward_2d(const Tensor& self, const Tensor& output) {
  // As on the CPU, an empty result may have any dtype here, though not in the other functions.
  if (output.numel() > 0) {
    check_floating_2d("adaptive_avg_pool2d", self);
    run_forward(2, output, self);
  }
}

void forward_3d(const Tensor& self, const Tensor& output) {
  check_floating("adaptive_avg_pool3d_cpu", self);
  run_forward(3, output, self);
}

Tensor adaptive_avg_pool2d(const Tensor& self, IntArrayRef output_size) {
  check_forward_2d(self, output_size);
  Tensor output = at::empty(adaptive_pool_sizes("adaptive_avg_pool2d", self, output_size),
                            self.options().memory_format(output_format_2d(self)));
  forward_2d(self, output);
  return output;
}

Tensor& adaptive_avg_pool2d_out(const Tensor& self, IntArrayRef output_size, Tensor& out) {
  check_forward_2d(self, output_size);
  check_out_dtype(self, out);
  const auto sizes = adaptive_pool_sizes("adaptive_avg_pool2d", self, output_size);
  // As the CPU kernel: a batched result is laid out anew even where `out` has the right sizes.
  if (self.dim() == 4) {
    out.resize_(sizes, self.suggest_memory_format());
  } else {
    out.resize_(sizes);
  }
  forward_2d(self, out);
  return out;
}

Tensor adaptive_avg_pool2d_backward(const Tensor& grad_output, const Tensor& self) {
  check_not_empty_from(1, "adaptive_avg_pool2d_backward", "grad_output", grad_output);
  const char* const context = "adaptive_avg_pool2d_backward_out_cpu_template";
  TORCH_CHECK(self.dim() == grad_output.dim(), context, ": Expected dimensions ", self.dim(),
              " for `grad_output` but got dimensions ", grad_output.dim());
  TORCH_CHECK(self.dim() == 3 || self.dim() == 4, context, ": Expected 3D or 4D tensor, but got ",
              self.sizes());
  TORCH_CHECK(self.dtype() == grad_output.dtype(), context, ": Expected dtype ", self.dtype(),
              " for `grad_output` but got dtype ", grad_output.dtype());
  check_same_planes("adaptive_avg_pool2d_backward", 2, grad_output, self);
  check_floating_2d("adaptive_avg_pool2d_backward", grad_output);
  Tensor grad_input = at::empty(self.sizes(), self.options().memory_format(output_format_2d(self)));
  run_backward(2, grad_input, grad_output);
  return grad_input;
}

Tensor adaptive_avg_pool3d(const Tensor& self, IntArrayRef output_size) {
  check_forward_3d(self, output_size);
  Tensor output =
      at::empty(adaptive_pool_sizes("adaptive_avg_pool3d", self, output_size), self.options());
  forward_3d(self, output);
  return output;
}

Tensor& adaptive_avg_pool3d_out(const Tensor& self, IntArrayRef output_size, Tensor& out) {
  check_forward_3d(self, output_size);
  check_out_dtype(self, out);
  out.resize_(adaptive_pool_sizes("adaptive_avg_pool3d", self, output_size));
  forward_3d(self, out);
  return out;
}

void backward_3d(const Tensor& grad_output, const Tensor& self, Tensor& grad_input) {
  check_floating("adaptive_avg_pool3d_backward_cpu", self);
  for (const Tensor* tensor : std::initializer_list<const Tensor*>{&grad_input, &grad_output}) {
    TORCH_CHECK(tensor->scalar_type() == self.scalar_type(), "expected scalar type ",
                self.scalar_type(), " but found ", tensor->scalar_type());
  }
  run_backward(3, grad_input, grad_output);
}

void check_backward_3d(const Tensor& grad_output, const Tensor& self) {
  check_not_empty_from(1, "adaptive_avg_pool3d_backward", "grad_output", grad_output);
  const char* const context = "adaptive_avg_pool3d_backward_out_cpu_template";
  TORCH_CHECK(self.dim() == grad_output.dim(), context, ": Expected dimensions ", self.dim(),
              " for `gradOutput_` but got dimensions ", grad_output.dim());
  TORCH_CHECK(self.dim() == 4 || self.dim() == 5, context, ": Expected 4D or 5D tensor, but got ",
              self.sizes());
  check_same_planes("adaptive_avg_pool3d_backward", 3, grad_output, self);
}

Tensor adaptive_avg_pool3d_backward(const Tensor& grad_output, const Tensor& self) {
  check_backward_3d(grad_output, self);
  Tensor grad_input = at::empty(self.sizes(), self.options());
  backward_3d(grad_output, self, grad_input);
  return grad_input;
}

Tensor& adaptive_avg_pool3d_backward_out(const Tensor& grad_output, const Tensor& self,
                                         Tensor& grad_input) {
  check_backward_3d(grad_output, self);
  grad_input.resize_(self.sizes());
  backward_3d(grad_output, self, grad_input);
  return grad_input;
}

}  // namespace

MPSOPS_FAMILY(adaptive_avg_pool) {
  family.dtypes(kFloatingDtypes);
  const char* const divides = "torch raises where input and output sizes do not divide";
  const auto pool_2d = {"nn.functional.adaptive_avg_pool1d", "nn.functional.adaptive_avg_pool2d",
                        "nn.functional.interpolate.area"};
  const auto pool_3d = {"nn.functional.adaptive_avg_pool3d", "nn.functional.interpolate.area"};

  family.partial<adaptive_avg_pool2d>("aten::_adaptive_avg_pool2d")
      .because(divides)
      .opinfo(pool_2d);
  family.partial<adaptive_avg_pool2d_out>("aten::adaptive_avg_pool2d.out").because(divides);
  family.partial<adaptive_avg_pool2d_backward>("aten::_adaptive_avg_pool2d_backward")
      .because(divides)
      .opinfo(pool_2d);
  family.missing<adaptive_avg_pool3d>("aten::_adaptive_avg_pool3d").opinfo(pool_3d);
  family.missing<adaptive_avg_pool3d_out>("aten::adaptive_avg_pool3d.out");
  family.missing<adaptive_avg_pool3d_backward>("aten::_adaptive_avg_pool3d_backward")
      .opinfo(pool_3d);
  family.missing<adaptive_avg_pool3d_backward_out>("aten::adaptive_avg_pool3d_backward.grad_input");
}

}  // namespace mpsops
