// Kernels: metal/multilabel_margin_loss.metal. A call with a target (or is_target) not seen before
// waits once for the device, to raise "out of range" as the CPU does (csrc/core/device_flag.h); a
// backward after its forward does not.
#include <ATen/TensorUtils.h>
#include <ATen/core/Reduction.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <limits>

#include "csrc/core/checked_values.h"
#include "csrc/core/checks.h"
#include "csrc/core/device_flag.h"
#include "csrc/core/kernel.h"
#include "csrc/core/partials.h"
#include "csrc/core/registry.h"
#include "metal/params/multilabel_margin_loss.h"

namespace mpsops {

namespace {

// The bits of metal/multilabel_margin_loss.metal.
constexpr uint32_t kTargetOutOfRange = 1;
constexpr uint32_t kIsTargetOutOfRange = 2;

// Of target against the number of classes; of is_target, which has no other bound, against 1.
CheckedValues& checked_values() {
  static auto* values = new CheckedValues();
  return *values;
}

struct Problem {
  int64_t rows;
  int64_t columns;
};

Problem check_shapes(const at::Tensor& self, const at::Tensor& target) {
  const int64_t dims = self.dim();
  TORCH_CHECK(dims == 0 || (dims <= 2 && self.size(-1) != 0),
              "Expected non-empty vector or matrix with optional 0-dim batch size, but got: ",
              self.sizes());
  const int64_t rows = dims == 2 ? self.size(0) : 1;
  const int64_t columns = dims == 0 ? 1 : self.size(-1);
  const bool same =
      dims == 2 ? target.sizes() == self.sizes() : target.dim() <= 1 && target.numel() == columns;
  TORCH_CHECK(same, "inconsistent target size: ", target.sizes(),
              " for input of size: ", self.sizes());
  // A kernel counts a row in 32 bits.
  TORCH_CHECK(columns <= std::numeric_limits<int32_t>::max(),
              "multilabel_margin_loss: input must have fewer than 2^31 classes, got ", columns);
  return {rows, columns};
}

// Threads of the group that takes a row.
uint32_t threads_for(int64_t columns) {
  const int64_t simdgroups = (columns + 31) / 32;
  return static_cast<uint32_t>(32 * std::min<int64_t>(simdgroups, 8));
}

// Strides of a 0-d, 1-d or 2-d tensor, as those of a matrix.
void set_strides(int64_t (&strides)[2], const at::Tensor& tensor) {
  strides[0] = tensor.dim() == 2 ? tensor.stride(0) : 0;
  strides[1] = tensor.dim() >= 1 ? tensor.stride(-1) : 0;
}

MultilabelMarginLossParams make_params(const Problem& problem, const at::Tensor& self,
                                       const at::Tensor& target, int64_t reduction) {
  check_scalar_type(target, at::kLong);
  MultilabelMarginLossParams params{};
  params.rows = problem.rows;
  params.columns = static_cast<uint32_t>(problem.columns);
  set_strides(params.input_stride, self);
  set_strides(params.target_stride, target);
  const bool mean = reduction == at::Reduction::Mean;
  params.divisor =
      static_cast<float>(problem.columns) * (mean ? static_cast<float>(problem.rows) : 1.0f);
  params.gradient = static_cast<float>(1.0 / (static_cast<double>(problem.columns) *
                                              (mean ? static_cast<double>(problem.rows) : 1.0)));
  return params;
}

std::tuple<at::Tensor&, at::Tensor&> multilabel_margin_loss_forward_out(const at::Tensor& self,
                                                                        const at::Tensor& target,
                                                                        int64_t reduction,
                                                                        at::Tensor& output,
                                                                        at::Tensor& is_target) {
  check_same_device(
      "multilabel_margin_loss_forward",
      {{"self", self}, {"target", target}, {"output", output}, {"is_target", is_target}});
  const Problem problem = check_shapes(self, target);
  const bool reduced = reduction != at::Reduction::None || target.dim() <= 1;
  output.resize_(reduced ? at::IntArrayRef{} : at::IntArrayRef{problem.rows});
  is_target.resize_as_(target);
  TORCH_CHECK(is_target.is_contiguous(), "is_target must be contiguous");
  if (self.numel() == 0) {
    // The CPU kernel leaves the value unwritten here.
    output.fill_(reduction == at::Reduction::Mean ? std::numeric_limits<float>::quiet_NaN() : 0.0f);
    return {output, is_target};
  }
  check_dtype("multilabel_margin_loss_forward_out_frame", self.scalar_type(), {at::kFloat});
  auto params = make_params(problem, self, target, reduction);
  check_scalar_type(is_target, self.scalar_type());
  check_scalar_type(output, self.scalar_type());
  params.reduced = reduced ? 1 : 0;
  params.loss_stride = reduced ? 0 : output.stride(0);

  constexpr auto kFamily = "multilabel_margin_loss";
  const auto& kernel = get_kernel(kFamily, kernel_name(kFamily, {self.scalar_type()}));
  DeviceFlag flag(!checked_values().contains(target, problem.columns));
  if (reduced) {
    const Grid groups =
        groups_for(std::min<int64_t>(problem.rows, kMaxPartials), threads_for(problem.columns));
    launch_partial_sums(kFamily, kernel, groups, params.divisor, output, is_target, self, target,
                        flag.word(), params);
  } else {
    launch(kernel, groups_for(problem.rows, threads_for(problem.columns)), output, output,
           is_target, self, target, flag.word(), params);
  }
  TORCH_CHECK(flag.read() == 0, at::TensorArg(target, "target", 2), " is out of range");
  if (flag.needed()) {
    checked_values().insert(target, problem.columns);
  }
  checked_values().insert(is_target, 1);
  return {output, is_target};
}

std::tuple<at::Tensor, at::Tensor> multilabel_margin_loss_forward(const at::Tensor& self,
                                                                  const at::Tensor& target,
                                                                  int64_t reduction) {
  at::Tensor output = at::empty({0}, self.options());
  at::Tensor is_target = at::empty({0}, self.options());
  multilabel_margin_loss_forward_out(self, target, reduction, output, is_target);
  return {output, is_target};
}

at::Tensor& multilabel_margin_loss_backward_out(const at::Tensor& grad_output,
                                                const at::Tensor& self, const at::Tensor& target,
                                                int64_t reduction, const at::Tensor& is_target,
                                                at::Tensor& grad_input) {
  check_same_device("multilabel_margin_loss_backward", {{"grad_output", grad_output},
                                                        {"self", self},
                                                        {"target", target},
                                                        {"is_target", is_target},
                                                        {"grad_input", grad_input}});
  const Problem problem = check_shapes(self, target);
  const at::TensorArg target_argument(target, "target", 3);
  const at::TensorArg is_target_argument(is_target, "is_target", 5);
  at::checkSameSize("multilabel_margin_loss_backward_cpu_template", target_argument,
                    is_target_argument);
  grad_input.resize_as_(self);
  if (grad_input.numel() == 0) {
    return grad_input;
  }
  TORCH_CHECK(grad_input.is_contiguous(), "grad_input must be contiguous");
  check_dtype("multilabel_margin_loss_backward_out_frame", self.scalar_type(), {at::kFloat});
  auto params = make_params(problem, self, target, reduction);
  check_scalar_type(is_target, self.scalar_type());
  check_scalar_type(grad_input, self.scalar_type());
  check_scalar_type(grad_output, self.scalar_type());
  set_strides(params.is_target_stride, is_target);
  if (reduction == at::Reduction::None && grad_output.dim() > 0) {
    at::check_dim_size(grad_output, 1, 0, problem.rows);
    params.loss_stride = grad_output.stride(0);
  } else {
    TORCH_CHECK(grad_output.numel() > 0,
                "multilabel_margin_loss_backward: grad_output must be one value, got ",
                grad_output.sizes());
  }
  const auto& kernel =
      get_kernel("multilabel_margin_loss",
                 kernel_name("multilabel_margin_loss_backward", {self.scalar_type()}));
  DeviceFlag flag(!checked_values().contains(target, problem.columns) ||
                  !checked_values().contains(is_target, 1));
  launch(kernel, groups_for(problem.rows, threads_for(problem.columns)), grad_input, grad_output,
         self, target, is_target, flag.word(), params);
  const uint32_t errors = flag.read();
  TORCH_CHECK((errors & kTargetOutOfRange) == 0, target_argument, " is out of range");
  TORCH_CHECK((errors & kIsTargetOutOfRange) == 0, is_target_argument, " is out of range");
  return grad_input;
}

at::Tensor multilabel_margin_loss_backward(const at::Tensor& grad_output, const at::Tensor& self,
                                           const at::Tensor& target, int64_t reduction,
                                           const at::Tensor& is_target) {
  at::Tensor grad_input = at::empty({0}, self.options());
  return multilabel_margin_loss_backward_out(grad_output, self, target, reduction, is_target,
                                             grad_input);
}

}  // namespace

MPSOPS_FAMILY(multilabel_margin_loss) {
  constexpr auto kOpInfo = "nn.functional.multilabel_margin_loss";
  family.dtypes({at::kFloat});
  family.missing<multilabel_margin_loss_forward>("aten::multilabel_margin_loss_forward")
      .opinfo({kOpInfo})
      .max_dispatches(2);
  family.missing<multilabel_margin_loss_forward_out>("aten::multilabel_margin_loss_forward.output")
      .opinfo({kOpInfo})
      .max_dispatches(2);
  family.missing<multilabel_margin_loss_backward>("aten::multilabel_margin_loss_backward")
      .opinfo({kOpInfo});
  family
      .missing<multilabel_margin_loss_backward_out>(
          "aten::multilabel_margin_loss_backward.grad_input")
      .opinfo({kOpInfo});
}

}  // namespace mpsops
