// What torch decides in code that only an MPS build contains, for ops made of other ops.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_fused_rms_norm.h>
#include <ATen/ops/_fused_rms_norm_compositeimplicitautograd_dispatch.h>
#include <ATen/ops/_scaled_dot_product_attention_math.h>
#include <ATen/ops/_scaled_dot_product_attention_math_for_mps.h>

#include "csrc/sim/device/composed_call.h"
#include "csrc/sim/device/install.h"

namespace mpsops::sim {

namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

// As torch's validate_sdpa_input.
void check_arguments(const Tensor& query, const Tensor& key, const Tensor& value,
                     const OptionalTensor& attn_mask, bool is_causal) {
  TORCH_CHECK(
      query.dtype() == key.dtype() && query.dtype() == value.dtype(),
      "Expected query, key, and value to have the same dtype, but got query.dtype: ", query.dtype(),
      " key.dtype: ", key.dtype(), " and value.dtype: ", value.dtype(), " instead.");
  TORCH_CHECK(query.device() == key.device() && query.device() == value.device(),
              "Expected query, key, and value to have the same device type, but got query.device: ",
              query.device(), " key.device: ", key.device(), " and value.device: ", value.device(),
              " instead.");
  TORCH_CHECK(
      query.dim() >= 2 && key.dim() >= 2 && value.dim() >= 2,
      "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: ",
      query.dim(), " key.dim: ", key.dim(), " and value.dim: ", value.dim(), " instead.");
  if (attn_mask && attn_mask->defined()) {
    const auto dtype = attn_mask->dtype();
    TORCH_CHECK(dtype == at::kBool || dtype == at::kFloat || dtype == query.dtype(),
                "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
                "attn_mask.dtype: ",
                dtype, " and  query.dtype: ", query.dtype(), " instead.");
    TORCH_CHECK(!is_causal,
                "_scaled_dot_product_attention: Explicit attn_mask should not be set when "
                "is_causal=True");
  }
}

// A Linux torch cannot even ask which kernel an mps tensor wants: its DispatchStub knows no such
// device. Without gradients and dropout torch takes the fused kernel.
Tensor attention(const Tensor& query, const Tensor& key, const Tensor& value,
                 const OptionalTensor& attn_mask, double dropout_p, bool is_causal,
                 std::optional<double> scale, bool enable_gqa) {
  check_arguments(query, key, value, attn_mask, is_causal);
  const bool differentiable = at::GradMode::is_enabled() &&
                              (query.requires_grad() || key.requires_grad() ||
                               value.requires_grad() || (attn_mask && attn_mask->requires_grad()));
  if (dropout_p == 0.0 && !differentiable) {
    return std::get<0>(at::_scaled_dot_product_attention_math_for_mps(
        query, key, value, attn_mask, dropout_p, is_causal, std::nullopt, scale, enable_gqa));
  }
  return std::get<0>(at::_scaled_dot_product_attention_math(
      query, key, value, attn_mask, dropout_p, is_causal, std::nullopt, scale, enable_gqa));
}

std::tuple<Tensor, Tensor> math_for_mps(const Tensor& query, const Tensor& key, const Tensor& value,
                                        const OptionalTensor& attn_mask, double dropout_p,
                                        bool is_causal, const OptionalTensor& dropout_mask,
                                        std::optional<double> scale, bool enable_gqa) {
  TORCH_CHECK(dropout_p == 0.0,
              "_scaled_dot_product_attention_math_for_mps: dropout_p != 0.0 is not supported");
  ComposedCall cpu;
  return cpu.result(at::_scaled_dot_product_attention_math(cpu(query), cpu(key), cpu(value),
                                                           cpu(attn_mask), dropout_p, is_causal,
                                                           cpu(dropout_mask), scale, enable_gqa));
}

// The fused kernel has no backward on MPS: torch differentiates through the parts instead.
std::tuple<Tensor, Tensor> rms_norm(const Tensor& input, at::IntArrayRef normalized_shape,
                                    const OptionalTensor& weight, std::optional<double> eps) {
  if (at::GradMode::is_enabled() &&
      (input.requires_grad() || (weight && weight->requires_grad()))) {
    return at::compositeimplicitautograd::_fused_rms_norm(input, normalized_shape, weight, eps);
  }
  const at::AutoDispatchBelowADInplaceOrView below;
  return at::_fused_rms_norm(input, normalized_shape, weight, eps);
}

}  // namespace

void register_choices(torch::Library& aten, torch::Library& autograd) {
  aten.impl("_scaled_dot_product_attention_math_for_mps", TORCH_FN(math_for_mps));
  // Composite: the autograd key gets the same function, which differentiates through its parts.
  aten.impl("scaled_dot_product_attention", TORCH_FN(attention));
  autograd.impl("scaled_dot_product_attention", TORCH_FN(attention));
  autograd.impl("_fused_rms_norm", TORCH_FN(rms_norm));
}

}  // namespace mpsops::sim
