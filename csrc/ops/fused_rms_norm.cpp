// The gradient of rms_norm where it was computed by one kernel; only CUDA has had it. Torch 2.13 to
// 2.15 take rms_norm apart on MPS as soon as a gradient is wanted, so what calls it there is
// aten::_fused_rms_norm used directly, and whoever keeps rstd. Kernels: metal/fused_rms_norm.metal.
// Nothing waits.
#include <ATen/native/layer_norm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>

#include "csrc/core/checks.h"
#include "csrc/core/kernel.h"
#include "csrc/core/registry.h"
#include "csrc/core/row_teams.h"
#include "metal/params/fused_rms_norm.h"

namespace mpsops {

namespace {

using at::Tensor;

constexpr int64_t kHeld = 8;  // columns of a thread, in metal/fused_rms_norm.metal
constexpr int64_t kColumnsPerGroup = 32;
// Sums of the gradient of weight: 4 MiB of them fill a GPU, except where rows are very long.
constexpr int64_t kPartialElements = int64_t{1} << 20;
constexpr int64_t kMinParts = 32;
constexpr int64_t kMaxParts = 1024;

void check_arguments(const Tensor& grad_output, const Tensor& input, const Tensor& rstd,
                     const Tensor& weight, int64_t rows) {
  check_same_device(
      "_fused_rms_norm_backward",
      {{"grad_out", grad_output}, {"input", input}, {"rstd", rstd}, {"weight", weight}});
  check_dtype("LayerNormBackwardKernelImpl", input.scalar_type(), kFloatingDtypes);
  check_scalar_type(grad_output, input.scalar_type());
  TORCH_CHECK(grad_output.sizes() == input.sizes(),
              "_fused_rms_norm_backward: grad_out must be of the size of input, ", input.sizes(),
              ", got ", grad_output.sizes());
  TORCH_CHECK(rstd.defined() && rstd.numel() == rows, "_fused_rms_norm_backward: rstd must have ",
              rows, " elements, got ", rstd.defined() ? rstd.numel() : 0);
  check_scalar_type(rstd, at::kFloat);
  if (weight.defined()) {
    check_scalar_type(weight, input.scalar_type());
  }
}

// Teams that share the rows: as many as there are rows, unless each leaves sums behind.
int64_t count_teams(const RmsNormParams& params) {
  if (params.want_weight == 0) {
    return params.rows;
  }
  return std::min(params.rows, std::clamp(kPartialElements / params.columns, kMinParts, kMaxParts));
}

void launch_backward(const Tensor& grad_output, const Tensor& input, const Tensor& rstd,
                     const Tensor& weight, RmsNormParams& params, const Tensor& grad_input,
                     const Tensor& grad_weight) {
  constexpr auto kFamily = "fused_rms_norm";
  const auto dtype = input.scalar_type();
  const Kernel* kernel = &get_kernel(kFamily, kernel_name("rms_norm_backward", {dtype}));
  RowTeams teams = row_teams(*kernel, params.columns, kHeld);
  if (params.columns > kHeld * teams.lanes) {
    kernel = &get_kernel(kFamily, kernel_name("rms_norm_backward_long", {dtype}));
    teams = row_teams(*kernel, params.columns, kHeld);
  }
  params.lanes = teams.lanes;
  const int64_t groups = teams.groups(count_teams(params));
  const auto grid = groups_for(groups, teams.threads);
  // Metal's validation wants a buffer at every index.
  const Tensor& dx = params.want_input != 0 ? grad_input : grad_output;
  const Tensor& w = weight.defined() ? weight : input;
  if (params.want_weight == 0) {
    launch(*kernel, grid, dx, rstd, grad_output, input, w, rstd, params);
    return;
  }
  params.parts = static_cast<uint32_t>(groups * (teams.threads / teams.lanes));
  const Tensor partials =
      at::empty({params.parts, params.columns}, input.options().dtype(at::kFloat));
  const Kernel& total = get_kernel(kFamily, kernel_name("rms_norm_weight_total", {dtype}));
  const uint32_t threads = std::min(total.max_total_threads_per_threadgroup(), 1024u) / 32 * 32;
  launch_all(
      {make_dispatch(*kernel, grid, dx, partials, grad_output, input, w, rstd, params),
       make_dispatch(
           total, groups_for((params.columns + kColumnsPerGroup - 1) / kColumnsPerGroup, threads),
           grad_weight, partials, params)});
}

std::tuple<Tensor, Tensor> fused_rms_norm_backward(const Tensor& grad_output, const Tensor& input,
                                                   at::IntArrayRef normalized_shape,
                                                   const Tensor& rstd,
                                                   const std::optional<Tensor>& weight_or_none,
                                                   std::array<bool, 2> output_mask) {
  const Tensor weight = weight_or_none.value_or(Tensor());
  const auto [rows, columns] =
      at::native::_check_layer_norm_inputs(input, normalized_shape, weight, weight);
  check_arguments(grad_output, input, rstd, weight, rows);
  RmsNormParams params{};
  params.rows = rows;
  params.columns = columns;
  params.weighted = weight.defined() ? 1 : 0;
  params.want_input = output_mask[0] ? 1 : 0;
  params.want_weight = output_mask[1] ? 1 : 0;
  Tensor grad_input = output_mask[0] ? at::empty(input.sizes(), input.options()) : Tensor();
  if (rows == 0 || columns == 0) {
    return {std::move(grad_input),
            output_mask[1] ? at::zeros(normalized_shape, input.options()) : Tensor()};
  }
  Tensor grad_weight = output_mask[1] ? at::empty(normalized_shape, input.options()) : Tensor();
  if (output_mask[0] || output_mask[1]) {
    launch_backward(grad_output.contiguous(), input.contiguous(), rstd.contiguous(),
                    weight.defined() ? weight.contiguous() : weight, params, grad_input,
                    grad_weight);
  }
  return {std::move(grad_input), std::move(grad_weight)};
}

}  // namespace

MPSOPS_FAMILY(fused_rms_norm) {
  family.dtypes(kFloatingDtypes).opinfo({"_fused_rms_norm_backward"});
  // The second adds up the gradient of weight.
  family.missing<fused_rms_norm_backward>("aten::_fused_rms_norm_backward").max_dispatches(2);
}

}  // namespace mpsops
