// Kernels: metal/multi_margin_loss.metal. A call with a target not seen before waits once for the
// device, to raise "target out of range" as the CPU does (csrc/core/device_flag.h); a backward
// after its forward does not.
#include <ATen/ops/empty.h>

#include <algorithm>

#include "csrc/core/checked_values.h"
#include "csrc/core/checks.h"
#include "csrc/core/device_flag.h"
#include "csrc/core/kernel.h"
#include "csrc/core/partials.h"
#include "csrc/core/registry.h"
#include "csrc/core/row_teams.h"
#include "csrc/ops/margin_loss.h"
#include "metal/params/multi_margin_loss.h"

namespace mpsops {

namespace {

constexpr int64_t kPerLane = 8;
// What a group reads when it sums over rows: a small input takes one group, hence one dispatch.
constexpr int64_t kElementsPerGroup = 4096;

MarginLossSizes check_shapes(const at::Tensor& self, const at::Tensor& target, const at::Scalar& p,
                             const at::Tensor& weight) {
  TORCH_CHECK(p.toInt() == 1 || p.toInt() == 2, "only p == 1 and p == 2 supported");
  const auto [rows, columns] = margin_loss_sizes(self);
  TORCH_CHECK(target.dim() <= 1 && target.numel() == rows,
              "multi_margin_loss: target tensor should be 1-D with size equal to the number of "
              "input samples (batch size). Expected target size [",
              rows, "], but got ", target.sizes(), ". Input has shape ", self.sizes(), ".");
  TORCH_CHECK(!weight.defined() || (weight.dim() <= 1 && weight.numel() == columns),
              "inconsistent weight size, expected ", columns, " but got ", weight.sizes());
  return {rows, columns};
}

MultiMarginLossParams make_params(const MarginLossSizes& sizes, const at::Tensor& self,
                                  const at::Tensor& target, const at::Scalar& p,
                                  const at::Scalar& margin, const at::Tensor& weight,
                                  int64_t reduction) {
  check_scalar_type(target, at::kLong);
  MultiMarginLossParams params{};
  params.rows = sizes.rows;
  params.columns = sizes.columns;
  set_matrix_strides(params.input_stride, self);
  params.target_stride = target.dim() == 1 ? target.stride(0) : 0;
  if (weight.defined()) {
    check_scalar_type(weight, self.scalar_type());
    params.weight_stride = weight.dim() == 1 ? weight.stride(0) : 0;
    params.weighted = 1;
  }
  params.margin = margin.to<float>();
  params.squared = p.toInt() == 2 ? 1 : 0;
  set_margin_loss_scale(params, sizes, reduction);
  return params;
}

// Groups that share the sum over all rows.
Grid groups_of_sums(const RowTeams& teams, const MultiMarginLossParams& params) {
  const int64_t elements = params.rows * params.columns;
  const int64_t wanted = (elements + kElementsPerGroup - 1) / kElementsPerGroup;
  return groups_for(std::min({wanted, teams.groups(params.rows), int64_t{kMaxPartials}}),
                    teams.threads);
}

CheckedValues& checked_targets() {
  static auto* targets = new CheckedValues();
  return *targets;
}

at::Tensor& multi_margin_loss_out(const at::Tensor& self, const at::Tensor& target,
                                  const at::Scalar& p, const at::Scalar& margin,
                                  const std::optional<at::Tensor>& weight_or_none,
                                  int64_t reduction, at::Tensor& output) {
  const at::Tensor weight = weight_or_none.value_or(at::Tensor());
  check_same_device("multi_margin_loss",
                    {{"self", self}, {"target", target}, {"weight", weight}, {"out", output}});
  const MarginLossSizes sizes = check_shapes(self, target, p, weight);
  // A 0-d target gives one value, with no batch dimension to keep.
  const bool reduced = reduction != at::Reduction::None || target.dim() == 0;
  output.resize_(reduced ? at::IntArrayRef{} : at::IntArrayRef{sizes.rows});
  if (self.numel() == 0) {
    return output.fill_(empty_margin_loss(reduction));
  }
  check_dtype("multi_margin_loss_cpu_kernel", self.scalar_type(), {at::kFloat});
  auto params = make_params(sizes, self, target, p, margin, weight, reduction);
  check_scalar_type(output, self.scalar_type());
  params.reduced = reduced ? 1 : 0;
  params.loss_stride = reduced ? 0 : output.stride(0);

  const auto& kernel =
      get_kernel("multi_margin_loss", kernel_name("multi_margin_loss", {self.scalar_type()}));
  const RowTeams teams = row_teams(kernel, sizes.columns, kPerLane);
  params.lanes = teams.lanes;
  const at::Tensor& weights = weight.defined() ? weight : self;
  ValueCheck flag(checked_targets(), target, sizes.columns);
  if (reduced) {
    launch_partial_sums("multi_margin_loss", kernel, groups_of_sums(teams, params), params.divisor,
                        output, self, target, weights, flag.word(), params);
  } else {
    launch(kernel, teams.grid(params.rows), output, output, self, target, weights, flag.word(),
           params);
  }
  TORCH_CHECK(flag.read() == 0, "target out of range");
  return output;
}

at::Tensor multi_margin_loss(const at::Tensor& self, const at::Tensor& target, const at::Scalar& p,
                             const at::Scalar& margin, const std::optional<at::Tensor>& weight,
                             int64_t reduction) {
  at::Tensor output = at::empty({0}, self.options());
  return multi_margin_loss_out(self, target, p, margin, weight, reduction, output);
}

at::Tensor& multi_margin_loss_backward_out(const at::Tensor& grad_output, const at::Tensor& self,
                                           const at::Tensor& target, const at::Scalar& p,
                                           const at::Scalar& margin,
                                           const std::optional<at::Tensor>& weight_or_none,
                                           int64_t reduction, at::Tensor& grad_input) {
  const at::Tensor weight = weight_or_none.value_or(at::Tensor());
  check_same_device("multi_margin_loss_backward", {{"grad_output", grad_output},
                                                   {"self", self},
                                                   {"target", target},
                                                   {"weight", weight},
                                                   {"grad_input", grad_input}});
  const MarginLossSizes sizes = check_shapes(self, target, p, weight);
  grad_input.resize_as_(self);
  TORCH_CHECK(grad_input.is_contiguous(), "grad_input must be contiguous");
  if (self.numel() == 0) {
    return grad_input;
  }
  check_dtype("multi_margin_loss_backward_cpu_kernel", self.scalar_type(), {at::kFloat});
  check_scalar_type(grad_input, self.scalar_type());
  auto params = make_params(sizes, self, target, p, margin, weight, reduction);
  check_scalar_type(grad_output, self.scalar_type());
  // One value for all rows, or one for each; the CPU kernel reads past shorter ones.
  if (reduction == at::Reduction::None && grad_output.dim() > 0) {
    TORCH_CHECK(grad_output.dim() == 1, "TensorAccessor expected 1 dims but tensor has ",
                grad_output.dim());
    TORCH_CHECK(grad_output.size(0) >= sizes.rows,
                "multi_margin_loss_backward: grad_output must be of size ", sizes.rows, ", got ",
                grad_output.sizes());
    params.loss_stride = grad_output.stride(0);
  } else {
    TORCH_CHECK(grad_output.numel() > 0,
                "multi_margin_loss_backward: grad_output must be one value, got ",
                grad_output.sizes());
  }
  const auto& kernel = get_kernel("multi_margin_loss",
                                  kernel_name("multi_margin_loss_backward", {self.scalar_type()}));
  const RowTeams teams = row_teams(kernel, sizes.columns, kPerLane);
  params.lanes = teams.lanes;
  ValueCheck flag(checked_targets(), target, sizes.columns);
  launch(kernel, teams.grid(params.rows), grad_input, grad_output, self, target,
         weight.defined() ? weight : self, flag.word(), params);
  TORCH_CHECK(flag.read() == 0, "target out of range");
  return grad_input;
}

at::Tensor multi_margin_loss_backward(const at::Tensor& grad_output, const at::Tensor& self,
                                      const at::Tensor& target, const at::Scalar& p,
                                      const at::Scalar& margin,
                                      const std::optional<at::Tensor>& weight, int64_t reduction) {
  at::Tensor grad_input = at::empty({0}, self.options());
  return multi_margin_loss_backward_out(grad_output, self, target, p, margin, weight, reduction,
                                        grad_input);
}

}  // namespace

MPSOPS_FAMILY(multi_margin_loss) {
  family.dtypes({at::kFloat}).opinfo({"nn.functional.multi_margin_loss"});
  family.missing<multi_margin_loss>("aten::multi_margin_loss").max_dispatches(2);
  family.missing<multi_margin_loss_out>("aten::multi_margin_loss.out").max_dispatches(2);
  family.missing<multi_margin_loss_backward>("aten::multi_margin_loss_backward");
  family.missing<multi_margin_loss_backward_out>("aten::multi_margin_loss_backward.grad_input");
}

}  // namespace mpsops
