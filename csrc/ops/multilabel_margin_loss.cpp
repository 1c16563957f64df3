// Kernels: metal/multilabel_margin_loss.metal. A call with a target (or is_target) not seen before
// waits once for the device, to raise "out of range" as the CPU does (csrc/core/device_flag.h); a
// backward after its forward does not.
#include <ATen/TensorUtils.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <limits>

#include "csrc/core/checked_values.h"
#include "csrc/core/checks.h"
#include "csrc/core/device_flag.h"
#include "csrc/core/kernel.h"
#include "csrc/core/partials.h"
#include "csrc/core/registry.h"
#include "csrc/ops/margin_loss.h"
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

MarginLossSizes check_shapes(const at::Tensor& self, const at::Tensor& target) {
  const auto [rows, columns] = margin_loss_sizes(self);
  const bool same = self.dim() == 2 ? target.sizes() == self.sizes()
                                    : target.dim() <= 1 && target.numel() == columns;
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

MultilabelMarginLossParams make_params(const MarginLossSizes& sizes, const at::Tensor& self,
                                       const at::Tensor& target, int64_t reduction) {
  check_scalar_type(target, at::kLong);
  MultilabelMarginLossParams params{};
  params.rows = sizes.rows;
  params.columns = static_cast<uint32_t>(sizes.columns);
  set_matrix_strides(params.input_stride, self);
  set_matrix_strides(params.target_stride, target);
  set_margin_loss_scale(params, sizes, reduction);
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
  const MarginLossSizes sizes = check_shapes(self, target);
  const bool reduced = reduction != at::Reduction::None || target.dim() <= 1;
  output.resize_(reduced ? at::IntArrayRef{} : at::IntArrayRef{sizes.rows});
  is_target.resize_as_(target);
  TORCH_CHECK(is_target.is_contiguous(), "is_target must be contiguous");
  if (self.numel() == 0) {
    output.fill_(empty_margin_loss(reduction));
    return {output, is_target};
  }
  check_dtype("multilabel_margin_loss_forward_out_frame", self.scalar_type(), {at::kFloat});
  auto params = make_params(sizes, self, target, reduction);
  check_scalar_type(is_target, self.scalar_type());
  check_scalar_type(output, self.scalar_type());
  params.reduced = reduced ? 1 : 0;
  params.loss_stride = reduced ? 0 : output.stride(0);

  constexpr auto kFamily = "multilabel_margin_loss";
  const auto& kernel = get_kernel(kFamily, kernel_name(kFamily, {self.scalar_type()}));
  ValueCheck flag(checked_values(), target, sizes.columns);
  if (reduced) {
    const Grid groups =
        groups_for(std::min<int64_t>(sizes.rows, kMaxPartials), threads_for(sizes.columns));
    launch_partial_sums(kFamily, kernel, groups, params.divisor, output, is_target, self, target,
                        flag.word(), params);
  } else {
    launch(kernel, groups_for(sizes.rows, threads_for(sizes.columns)), output, output, is_target,
           self, target, flag.word(), params);
  }
  TORCH_CHECK(flag.read() == 0, at::TensorArg(target, "target", 2), " is out of range");
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
  const MarginLossSizes sizes = check_shapes(self, target);
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
  auto params = make_params(sizes, self, target, reduction);
  check_scalar_type(is_target, self.scalar_type());
  check_scalar_type(grad_input, self.scalar_type());
  check_scalar_type(grad_output, self.scalar_type());
  set_matrix_strides(params.is_target_stride, is_target);
  if (reduction == at::Reduction::None && grad_output.dim() > 0) {
    at::check_dim_size(grad_output, 1, 0, sizes.rows);
    params.loss_stride = grad_output.stride(0);
  } else {
    TORCH_CHECK(grad_output.numel() > 0,
                "multilabel_margin_loss_backward: grad_output must be one value, got ",
                grad_output.sizes());
  }
  const auto& kernel =
      get_kernel("multilabel_margin_loss",
                 kernel_name("multilabel_margin_loss_backward", {self.scalar_type()}));
  DeviceFlag flag(!checked_values().contains(target, sizes.columns) ||
                  !checked_values().contains(is_target, 1));
  launch(kernel, groups_for(sizes.rows, threads_for(sizes.columns)), grad_input, grad_output, self,
         target, is_target, flag.word(), params);
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
  family.dtypes({at::kFloat}).opinfo({"nn.functional.multilabel_margin_loss"});
  family.missing<multilabel_margin_loss_forward>("aten::multilabel_margin_loss_forward")
      .max_dispatches(2);
  family.missing<multilabel_margin_loss_forward_out>("aten::multilabel_margin_loss_forward.output")
      .max_dispatches(2);
  family.missing<multilabel_margin_loss_backward>("aten::multilabel_margin_loss_backward");
  family.missing<multilabel_margin_loss_backward_out>(
      "aten::multilabel_margin_loss_backward.grad_input");
}

}  // namespace mpsops
