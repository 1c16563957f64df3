// A step of Adagrad for lists of tensors: torch.optim.Adagrad(fused=True). Kernel:
// metal/fused_adagrad.metal, ceil(tensors / 7) dispatches, or ceil(tensors / 6) where lr is on the
// device. Nothing waits: found_inf, grad_scale, the steps and such an lr are read by the kernel.
// The CPU kernel takes memory as it lies; here tensors of unequal strides are matched by copies.
#include <ATen/ops/empty_like.h>

#include <optional>
#include <utility>

#include "csrc/core/checks.h"
#include "csrc/core/kernel.h"
#include "csrc/core/overloads.h"
#include "csrc/core/registry.h"
#include "metal/params/fused_adagrad.h"

namespace mpsops {

namespace {

using OptionalTensor = std::optional<at::Tensor>;

constexpr uint32_t kThreads = 256;

// A tensor as the kernel sees it: in the order of memory of another, which is dense.
class Ordered {
 public:
  Ordered(const at::Tensor& tensor, const at::Tensor& as) : tensor_(tensor), dense_(tensor) {
    if (tensor.strides() != as.strides()) {
      dense_ = at::empty_like(as).copy_(tensor);
    }
  }
  const at::Tensor& operator*() const { return dense_; }
  void copy_back() const { mpsops::copy_back(dense_, tensor_); }

 private:
  at::Tensor tensor_;
  at::Tensor dense_;
};

struct Slot {
  Ordered param;
  Ordered grad;
  Ordered sum;
  at::Tensor step;
};

// What all tensors of a call share.
struct Common {
  at::Tensor lr;  // on the device, or undefined
  at::Tensor grad_scale;
  at::Tensor found_inf;
  FusedAdagradParams params{};

  size_t most() const { return kFusedAdagradTensors - (lr.defined() ? 1 : 0); }
};

using Slots = c10::SmallVector<Slot, kFusedAdagradTensors>;

// Slots that stay free get the first tensor: Metal wants a buffer at every index.
template <size_t... I>
void launch_slots(const Common& common, const Slots& slots, const FusedAdagradParams& params,
                  std::index_sequence<I...>) {
  const auto slot = [&](size_t i) -> const Slot& { return slots[i < slots.size() ? i : 0]; };
  const auto step = [&](size_t i) -> const at::Tensor& {
    return i + 1 == kFusedAdagradTensors && common.lr.defined() ? common.lr : slot(i).step;
  };
  const auto control = [&](const at::Tensor& value) -> const at::Tensor& {
    return value.defined() ? value : slots[0].step;
  };
  const auto dtype = (*slots[0].param).scalar_type();
  const Kernel& kernel = get_kernel("fused_adagrad", kernel_name("fused_adagrad", {dtype}));
  launch(kernel, groups_for(params.groups, kThreads), *slot(I).param..., *slot(I).grad...,
         *slot(I).sum..., step(I)..., control(common.grad_scale), control(common.found_inf),
         params);
}

void launch_step(const Common& common, const Slots& slots) {
  if (slots.empty()) {
    return;
  }
  FusedAdagradParams params = common.params;
  params.tensors = static_cast<uint32_t>(slots.size());
  for (size_t i = 0; i < slots.size(); ++i) {
    params.sizes[i] = (*slots[i].param).numel();
    params.first_groups[i] = params.groups;
    params.groups += (params.sizes[i] + kFusedAdagradGroup - 1) / kFusedAdagradGroup;
  }
  launch_slots(common, slots, params, std::make_index_sequence<kFusedAdagradTensors>());
  for (const Slot& slot : slots) {
    slot.param.copy_back();
    slot.sum.copy_back();
    if (common.grad_scale.defined()) {
      slot.grad.copy_back();
    }
  }
}

// As Tensor::item(): the one value of a tensor of any shape.
void check_one_value(const at::Tensor& tensor) {
  TORCH_CHECK(tensor.numel() == 1, "a Tensor with ", tensor.numel(),
              " elements cannot be converted to Scalar");
}

// The CPU kernel reads the first value of a float tensor.
at::Tensor checked_control(const char* name, const OptionalTensor& tensor) {
  if (!tensor.has_value() || !tensor->defined()) {
    return {};
  }
  check_scalar_type(*tensor, at::kFloat);
  TORCH_CHECK(tensor->numel() > 0, "_fused_adagrad_: ", name, " must have a value, got ",
              tensor->sizes());
  return *tensor;
}

Slot make_slot(const at::Tensor& param, const at::Tensor& grad, const at::Tensor& sum,
               const at::Tensor& step) {
  check_dtype("fused_adagrad_kernel", param.scalar_type(), kFloatingDtypes);
  check_scalar_type(grad, param.scalar_type());
  check_scalar_type(sum, param.scalar_type());
  check_one_value(step);
  // The CPU kernel would read past what is shorter.
  TORCH_CHECK(grad.sizes() == param.sizes() && sum.sizes() == param.sizes(),
              "_fused_adagrad_: grads and state_sums must have the sizes of their tensors, got ",
              grad.sizes(), " and ", sum.sizes(), " for ", param.sizes());
  const at::Tensor order = param.is_non_overlapping_and_dense() ? param : at::empty_like(param);
  return {Ordered(param, order), Ordered(grad, order), Ordered(sum, order), step.to(at::kFloat)};
}

void check_devices(std::initializer_list<std::pair<const char*, at::TensorList>> lists,
                   std::initializer_list<std::pair<const char*, const at::Tensor&>> tensors) {
  std::optional<c10::Device> device;
  for (const auto& [name, list] : lists) {
    for (const auto& tensor : list) {
      c10::impl::check_and_update_common_device(device, tensor, "_fused_adagrad_", name);
    }
  }
  for (const auto& [name, tensor] : tensors) {
    c10::impl::check_and_update_common_device(device, tensor, "_fused_adagrad_", name);
  }
}

void run_step(at::TensorList params, at::TensorList grads, at::TensorList state_sums,
              at::TensorList state_steps, Common& common) {
  const size_t n_tensors = params.size();
  // As the CPU kernel's, whose text is made of this expression.
  TORCH_CHECK(grads.size() == n_tensors);
  TORCH_CHECK(state_sums.size() == n_tensors);
  TORCH_CHECK(state_steps.size() == n_tensors);
  check_devices(
      {{"self", params},
       {"grads", grads},
       {"state_sums", state_sums},
       {"state_steps", state_steps}},
      {{"lr", common.lr}, {"grad_scale", common.grad_scale}, {"found_inf", common.found_inf}});
  Slots slots;
  for (size_t i = 0; i < n_tensors; ++i) {
    Slot slot = make_slot(params[i], grads[i], state_sums[i], state_steps[i]);
    if (params[i].numel() == 0) {
      continue;
    }
    const bool full = slots.size() == common.most();
    if (full || (!slots.empty() && (*slots[0].param).scalar_type() != params[i].scalar_type())) {
      launch_step(common, slots);
      slots.clear();
    }
    slots.push_back(std::move(slot));
  }
  launch_step(common, slots);
}

Common make_common(double lr, double lr_decay, double weight_decay, double eps, bool maximize,
                   const OptionalTensor& grad_scale, const OptionalTensor& found_inf) {
  Common common;
  common.grad_scale = checked_control("grad_scale", grad_scale);
  common.found_inf = checked_control("found_inf", found_inf);
  common.params.lr = static_cast<float>(lr);
  common.params.lr_decay = static_cast<float>(lr_decay);
  common.params.weight_decay = static_cast<float>(weight_decay);
  common.params.eps = static_cast<float>(eps);
  common.params.given = (common.grad_scale.defined() ? uint32_t{kFusedAdagradScale} : 0) |
                        (common.found_inf.defined() ? uint32_t{kFusedAdagradFoundInf} : 0) |
                        (maximize ? uint32_t{kFusedAdagradMaximize} : 0);
  return common;
}

void fused_adagrad(at::TensorList self, at::TensorList grads, at::TensorList state_sums,
                   at::TensorList state_steps, double lr, double lr_decay, double weight_decay,
                   double eps, bool maximize, const OptionalTensor& grad_scale,
                   const OptionalTensor& found_inf) {
  Common common = make_common(lr, lr_decay, weight_decay, eps, maximize, grad_scale, found_inf);
  run_step(self, grads, state_sums, state_steps, common);
}

void fused_adagrad_tensor_lr(at::TensorList self, at::TensorList grads, at::TensorList state_sums,
                             at::TensorList state_steps, const at::Tensor& lr, double lr_decay,
                             double weight_decay, double eps, bool maximize,
                             const OptionalTensor& grad_scale, const OptionalTensor& found_inf) {
  check_one_value(lr);
  const double rate = lr.is_cpu() ? lr.item<double>() : 0.0;
  Common common = make_common(rate, lr_decay, weight_decay, eps, maximize, grad_scale, found_inf);
  if (!lr.is_cpu()) {
    common.lr = lr.to(at::kFloat);
    common.params.given |= kFusedAdagradRate;
  }
  run_step(self, grads, state_sums, state_steps, common);
}

}  // namespace

MPSOPS_FAMILY(fused_adagrad) {
  family.dtypes(kFloatingDtypes);
  // For the up to 30 tensors of the samples.
  family.missing<fused_adagrad>("aten::_fused_adagrad_")
      .opinfo({"_fused_adagrad_"})
      .max_dispatches(5);
  family.missing<fused_adagrad_tensor_lr>("aten::_fused_adagrad_.tensor_lr")
      .opinfo({"_fused_adagrad_"})
      .max_dispatches(5);
}

}  // namespace mpsops
