// The parts of batch_norm that SyncBatchNorm calls, and batch_norm_update_stats. Kernels:
// metal/batch_norm.metal; nothing waits. Only update_stats has a CPU kernel, whose checks and texts
// it keeps; the others are as the CUDA kernels, where those are defined.
#include <ATen/native/cpu/mixed_data_type.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>

#include <limits>
#include <optional>
#include <tuple>

#include "csrc/core/checks.h"
#include "csrc/core/kernel.h"
#include "csrc/core/overloads.h"
#include "csrc/core/registry.h"
#include "csrc/ops/batch_norm.h"
#include "metal/params/batch_norm.h"

namespace mpsops {

namespace {

using namespace batch_norm;
using OptionalTensor = std::optional<at::Tensor>;

// `mean` and `variance` are contiguous, of the dtype of the running averages.
void launch_moments(BatchNormParams& params, const at::Tensor& input, const at::Tensor& mean,
                    const at::Tensor& variance, const at::Tensor& running_mean,
                    const at::Tensor& running_var) {
  const Grid grid = reduction_grid(params);
  const at::Tensor partials = make_partials(params, 4, input);
  const auto dtype = mean.scalar_type();
  const Kernel& kernel =
      get_kernel("batch_norm", kernel_name("batch_norm_moments", {input.scalar_type(), dtype}));
  const at::Tensor& mean_average = or_else(running_mean, mean);
  const at::Tensor& var_average = or_else(running_var, variance);
  if (params.blocks == 1) {
    launch(kernel, grid, mean, variance, mean_average, var_average, mean, input, params);
    return;
  }
  const Kernel& merge = get_kernel("batch_norm", kernel_name("batch_norm_moments_merged", {dtype}));
  launch_all({make_dispatch(kernel, grid, mean, variance, mean_average, var_average, partials,
                            input, params),
              make_dispatch(merge, groups_for(params.channels, 32), mean, variance, mean_average,
                            var_average, partials, params)});
}

std::tuple<at::Tensor, at::Tensor> batch_norm_stats(const at::Tensor& input, double eps) {
  const int64_t channels = input.size(1);
  const auto options = input.options().dtype(at::kFloat);
  check_dtype("batch_norm_stats_cuda", input.scalar_type(), kFloatingDtypes);
  at::Tensor mean = at::empty({channels}, options);
  at::Tensor invstd = at::empty({channels}, options);
  if (input.numel() == 0) {
    mean.zero_();
    invstd.fill_(std::numeric_limits<float>::quiet_NaN());
    return {mean, invstd};
  }
  at::Tensor dense;
  BatchNormParams params = make_params(input, dense);
  params.eps = static_cast<float>(eps);
  params.given = kBatchNormInvert;
  launch_moments(params, dense, mean, invstd, {}, {});
  return {mean, invstd};
}

// As the CPU kernel's accessor, and its size, which that does not check.
void check_running(const char* name, const at::Tensor& tensor, at::ScalarType dtype,
                   int64_t channels) {
  if (!tensor.defined()) {
    return;
  }
  TORCH_CHECK(tensor.dim() == 1, "TensorAccessor expected 1 dims but tensor has ", tensor.dim());
  check_scalar_type(tensor, dtype);
  TORCH_CHECK(tensor.size(0) == channels, name, " should contain ", channels, " elements not ",
              tensor.size(0));
}

template <class Params>
void set_running(Params& params, const at::Tensor& running_mean, const at::Tensor& running_var,
                 double momentum) {
  params.momentum = static_cast<float>(momentum);
  params.given |= flag_if(running_mean.defined(), kBatchNormRunningMean) |
                  flag_if(running_var.defined(), kBatchNormRunningVar);
  params.running_strides[0] = running_mean.defined() ? running_mean.stride(0) : 0;
  params.running_strides[1] = running_var.defined() ? running_var.stride(0) : 0;
}

std::tuple<at::Tensor, at::Tensor> batch_norm_update_stats(const at::Tensor& input,
                                                           const OptionalTensor& running_mean_opt,
                                                           const OptionalTensor& running_var_opt,
                                                           double momentum) {
  const at::Tensor running_mean = running_mean_opt.value_or(at::Tensor());
  const at::Tensor running_var = running_var_opt.value_or(at::Tensor());
  check_same_device(
      "batch_norm_update_stats",
      {{"input", input}, {"running_mean", running_mean}, {"running_var", running_var}});
  check_dtype("batch_norm_update_stats_cpu", input.scalar_type(), kFloatingDtypes);
  const bool mixed = at::native::is_mixed_type(input, running_mean, running_var);
  if (mixed) {
    at::native::check_mixed_data_type(input, running_mean, running_var);
  }
  const auto dtype = at::native::param_scalar_type(input, mixed);
  const int64_t channels = input.size(1);
  TORCH_CHECK(input.numel() != 0,
              "input tensor must have at least one element, but got input_sizes = ", input.sizes());
  check_running("running_mean", running_mean, dtype, channels);
  check_running("running_var", running_var, dtype, channels);

  at::Tensor mean = at::empty({channels}, input.options().dtype(dtype));
  at::Tensor variance = at::empty({channels}, input.options().dtype(dtype));
  at::Tensor dense;
  BatchNormParams params = make_params(input, dense);
  set_running(params, running_mean, running_var, momentum);
  launch_moments(params, dense, mean, variance, running_mean, running_var);
  return {mean, variance};
}

std::tuple<at::Tensor, at::Tensor> launch_gather_stats(
    const at::Tensor& input, const at::Tensor& mean, const at::Tensor& invstd,
    const OptionalTensor& running_mean_opt, const OptionalTensor& running_var_opt, double momentum,
    double eps, const at::Tensor& counts, int64_t count) {
  constexpr auto kOp = "batch_norm_gather_stats";
  const at::Tensor running_mean = running_mean_opt.value_or(at::Tensor());
  const at::Tensor running_var = running_var_opt.value_or(at::Tensor());
  check_same_device(kOp, {{"input", input},
                          {"mean", mean},
                          {"invstd", invstd},
                          {"running_mean", running_mean},
                          {"running_var", running_var},
                          {"counts", counts}});
  const auto dtype = or_else(running_mean, input).scalar_type();
  check_dtype("batch_norm_update_stats_cuda", dtype, kFloatingDtypes);
  TORCH_CHECK(mean.dim() == 2 && mean.sizes() == invstd.sizes(), kOp,
              ": mean and invstd must be of one size [ranks, channels], got ", mean.sizes(),
              " and ", invstd.sizes());
  const int64_t channels = mean.size(1);
  check_type("mean", mean, at::kFloat);
  check_type("invstd", invstd, at::kFloat);
  check_type("running_mean", running_mean, dtype);
  check_type("running_mean", running_var, dtype);  // CUDA names it so
  check_type("counts", counts, dtype);
  check_size(kOp, "running_mean", running_mean, channels);
  check_size(kOp, "running_var", running_var, channels);
  check_size(kOp, "counts", counts, mean.size(0));

  BatchNormGatherParams params{};
  params.ranks = mean.size(0);
  params.channels = channels;
  for (int dim = 0; dim < 2; ++dim) {
    params.mean_strides[dim] = mean.stride(dim);
    params.invstd_strides[dim] = invstd.stride(dim);
  }
  params.eps = static_cast<float>(eps);
  params.count = static_cast<float>(count);
  params.counted = counts.defined() ? 1 : 0;
  set_running(params, running_mean, running_var, momentum);
  at::Tensor total_mean = at::empty({channels}, mean.options());
  at::Tensor total_invstd = at::empty({channels}, mean.options());
  const at::Tensor dense_counts = contiguous(counts);
  const Kernel& kernel = get_kernel("batch_norm", kernel_name(kOp, {dtype}));
  launch(kernel, grid_for(kernel, channels), total_mean, total_invstd,
         or_else(running_mean, total_mean), or_else(running_var, total_invstd), mean, invstd,
         or_else(dense_counts, mean), params);
  return {total_mean, total_invstd};
}

std::tuple<at::Tensor, at::Tensor> batch_norm_gather_stats(
    const at::Tensor& input, const at::Tensor& mean, const at::Tensor& invstd,
    const OptionalTensor& running_mean, const OptionalTensor& running_var, double momentum,
    double eps, int64_t count) {
  return launch_gather_stats(input, mean, invstd, running_mean, running_var, momentum, eps, {},
                             count);
}

std::tuple<at::Tensor, at::Tensor> batch_norm_gather_stats_with_counts(
    const at::Tensor& input, const at::Tensor& mean, const at::Tensor& invstd,
    const OptionalTensor& running_mean, const OptionalTensor& running_var, double momentum,
    double eps, const at::Tensor& counts) {
  return launch_gather_stats(input, mean, invstd, running_mean, running_var, momentum, eps, counts,
                             0);
}

at::Tensor& batch_norm_elemt_out(const at::Tensor& input, const OptionalTensor& weight_opt,
                                 const OptionalTensor& bias_opt, const at::Tensor& mean,
                                 const at::Tensor& invstd, double /*eps*/, at::Tensor& out) {
  constexpr auto kOp = "batch_norm_elemt";
  const at::Tensor weight = weight_opt.value_or(at::Tensor());
  const at::Tensor bias = bias_opt.value_or(at::Tensor());
  check_same_device(kOp, {{"input", input},
                          {"weight", weight},
                          {"bias", bias},
                          {"mean", mean},
                          {"invstd", invstd},
                          {"out", out}});
  const int64_t channels = input.size(1);
  check_dtype("batch_norm_elementwise_cuda", input.scalar_type(), kFloatingDtypes);
  check_type("output", out, input.scalar_type());
  const auto dtype = parameter_dtype(input, weight, bias);
  check_statistics(kOp, mean, invstd, channels);
  check_size(kOp, "weight", weight, channels);
  check_size(kOp, "bias", bias, channels);
  set_output(out, input.sizes(), input.options().memory_format(input.suggest_memory_format()));
  if (input.numel() == 0) {
    return out;
  }
  at::Tensor dense;
  BatchNormParams params = make_params(input, dense);
  const at::Tensor result = add_operand(params, kBatchNormOutput, out);
  params.given =
      flag_if(weight.defined(), kBatchNormWeight) | flag_if(bias.defined(), kBatchNormBias);
  const Grid grid = elementwise_grid(params);
  const Kernel& kernel =
      get_kernel("batch_norm", kernel_name("batch_norm_elemt", {input.scalar_type(), dtype}));
  launch(kernel, grid, result, dense, or_else(contiguous(weight), input),
         or_else(contiguous(bias), input), mean.contiguous(), invstd.contiguous(), params);
  copy_back(result, out);
  return out;
}

// Of the sizes of `input`, for which CUDA's kernels reshape it.
at::Tensor shaped_gradient(const at::Tensor& grad_output, const at::Tensor& input) {
  return grad_output.sizes() == input.sizes() ? grad_output : grad_output.reshape(input.sizes());
}

void check_backward(const char* op, const at::Tensor& grad_output, const at::Tensor& input,
                    const at::Tensor& mean, const at::Tensor& invstd, const at::Tensor& weight) {
  check_dtype(op, grad_output.scalar_type(), kFloatingDtypes);
  check_type("input", input, grad_output.scalar_type());
  check_statistics(op, mean, invstd, input.size(1));
  check_size(op, "weight", weight, input.size(1));
}

using FourTensors = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>;

// Results that are not asked for stay undefined.
FourTensors batch_norm_backward_reduce(const at::Tensor& grad_output, const at::Tensor& input,
                                       const at::Tensor& mean, const at::Tensor& invstd,
                                       const OptionalTensor& weight_opt, bool input_g,
                                       bool weight_g, bool bias_g) {
  constexpr auto kOp = "batch_norm_backward_reduce";
  const at::Tensor weight = weight_opt.value_or(at::Tensor());
  check_same_device(kOp, {{"grad_out", grad_output},
                          {"input", input},
                          {"mean", mean},
                          {"invstd", invstd},
                          {"weight", weight}});
  check_backward(kOp, grad_output, input, mean, invstd, weight);
  const auto dtype = parameter_dtype(input, weight);
  // Without a weight, gradients are of an implied one, in the dtype of the statistics.
  const auto result_dtype = weight.defined() ? dtype : at::kFloat;
  const int64_t channels = input.size(1);
  const auto make = [&](bool wanted, at::ScalarType type) {
    return !wanted             ? at::Tensor()
           : input.numel() > 0 ? at::empty({channels}, input.options().dtype(type))
                               : at::zeros({channels}, input.options().dtype(type));
  };
  FourTensors results{make(input_g, at::kFloat), make(input_g, at::kFloat),
                      make(weight_g, result_dtype), make(bias_g, result_dtype)};
  if (input.numel() == 0 || !(input_g || weight_g || bias_g)) {
    return results;
  }
  const auto& [sum_dy, sum_dy_xmu, grad_weight, grad_bias] = results;
  at::Tensor dense;
  BatchNormParams params = make_params(input, dense);
  const at::Tensor gradient =
      add_operand(params, kBatchNormGradOutput, shaped_gradient(grad_output, input));
  params.given = flag_if(input_g, kBatchNormSums) | flag_if(weight_g, kBatchNormGradWeight) |
                 flag_if(bias_g, kBatchNormGradBias);
  const Grid grid = reduction_grid(params);
  const at::Tensor partials = make_partials(params, 2, input);
  const at::Tensor means = mean.contiguous();
  const at::Tensor invstds = invstd.contiguous();
  const auto bound = [&](const at::Tensor& result) -> const at::Tensor& {
    return or_else(result, means);
  };
  const Kernel& kernel =
      get_kernel("batch_norm", kernel_name(kOp, {input.scalar_type(), result_dtype}));
  const auto first =
      make_dispatch(kernel, grid, bound(sum_dy), bound(sum_dy_xmu), bound(grad_weight),
                    bound(grad_bias), bound(partials), gradient, dense, means, invstds, params);
  if (params.blocks == 1) {
    launch_all({first});
    return results;
  }
  const Kernel& merge =
      get_kernel("batch_norm", kernel_name("batch_norm_backward_reduce_merged", {result_dtype}));
  launch_all(
      {first, make_dispatch(merge, groups_for(channels, 32), bound(sum_dy), bound(sum_dy_xmu),
                            bound(grad_weight), bound(grad_bias), partials, invstds, params)});
  return results;
}

at::Tensor batch_norm_backward_elemt(const at::Tensor& grad_output, const at::Tensor& input,
                                     const at::Tensor& mean, const at::Tensor& invstd,
                                     const OptionalTensor& weight_opt, const at::Tensor& sum_dy,
                                     const at::Tensor& sum_dy_xmu, const at::Tensor& count) {
  constexpr auto kOp = "batch_norm_backward_elemt";
  const at::Tensor weight = weight_opt.value_or(at::Tensor());
  check_same_device(kOp, {{"grad_out", grad_output},
                          {"input", input},
                          {"mean", mean},
                          {"invstd", invstd},
                          {"weight", weight},
                          {"sum_dy", sum_dy},
                          {"sum_dy_xmu", sum_dy_xmu},
                          {"count", count}});
  check_backward(kOp, grad_output, input, mean, invstd, weight);
  const auto dtype = parameter_dtype(input, weight);
  const int64_t channels = input.size(1);
  check_type("sum_dy", sum_dy, at::kFloat);
  check_type("sum_dy_xmu", sum_dy_xmu, at::kFloat);
  check_size(kOp, "sum_dy", sum_dy, channels);
  check_size(kOp, "sum_dy_xmu", sum_dy_xmu, channels);
  check_scalar_type(count, at::kInt);

  const at::Tensor grad_input = is_channels_last(grad_output)
                                    ? at::empty_like(input)
                                    : at::empty(input.sizes(), input.options());
  if (input.numel() == 0) {
    return grad_input;
  }
  at::Tensor dense;
  BatchNormParams params = make_params(input, dense);
  const at::Tensor gradient =
      add_operand(params, kBatchNormGradOutput, shaped_gradient(grad_output, input));
  const at::Tensor result = add_operand(params, kBatchNormOutput, grad_input);
  params.given = flag_if(weight.defined(), kBatchNormWeight);
  params.ranks = static_cast<uint32_t>(count.numel());
  const Grid grid = elementwise_grid(params);
  const Kernel& kernel = get_kernel("batch_norm", kernel_name(kOp, {input.scalar_type(), dtype}));
  launch(kernel, grid, result, gradient, dense, mean.contiguous(), invstd.contiguous(),
         or_else(contiguous(weight), input), sum_dy.contiguous(), sum_dy_xmu.contiguous(),
         count.contiguous(), params);
  copy_back(result, grad_input);
  return grad_input;
}

}  // namespace

MPSOPS_FAMILY(batch_norm) {
  family.dtypes(kFloatingDtypes);
  // The second dispatch merges what the groups found that share a channel.
  family.missing<batch_norm_stats>("aten::batch_norm_stats")
      .opinfo({"batch_norm_stats"})
      .max_dispatches(2);
  family.missing<batch_norm_update_stats>("aten::batch_norm_update_stats")
      .opinfo({"batch_norm_update_stats"})
      .max_dispatches(2);
  family.missing<batch_norm_gather_stats>("aten::batch_norm_gather_stats")
      .opinfo({"batch_norm_gather_stats"});
  family.missing<batch_norm_gather_stats_with_counts>("aten::batch_norm_gather_stats_with_counts")
      .opinfo({"batch_norm_gather_stats_with_counts"});
  family.missing<functional<batch_norm_elemt_out>>("aten::batch_norm_elemt")
      .opinfo({"batch_norm_elemt"});
  family.missing<batch_norm_elemt_out>("aten::batch_norm_elemt.out").opinfo({"batch_norm_elemt"});
  family.missing<batch_norm_backward_reduce>("aten::batch_norm_backward_reduce")
      .opinfo({"batch_norm_backward_reduce"})
      .max_dispatches(2);
  family.missing<batch_norm_backward_elemt>("aten::batch_norm_backward_elemt")
      .opinfo({"batch_norm_backward_elemt"});
}

}  // namespace mpsops
