// Kernels: metal/masked_softmax.metal. Nothing waits, and nothing is copied: kernels find their
// elements by strides. The CPU kernel lays the output out as the input but fills it as if that were
// contiguous; here every element is where it belongs. In backward the mask must have the sizes of
// the gradient, as on the CPU, so that a mask of (B, L) or (L, L) is for inference.
#include <ATen/WrapDimUtils.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include "csrc/core/checks.h"
#include "csrc/core/kernel.h"
#include "csrc/core/registry.h"
#include "csrc/core/row_teams.h"
#include "csrc/core/strided.h"
#include "metal/params/masked_softmax.h"

namespace mpsops {

namespace {

using at::Tensor;

constexpr int64_t kHeld = 8;  // elements of a thread, in metal/masked_softmax.metal
constexpr RowTeams kAcross{1, 256};

enum MaskType : int64_t { kSource = 0, kPadding = 1, kDefault = 2 };

void check_mask_dtype(const Tensor& mask) {
  TORCH_CHECK(mask.scalar_type() == at::kBool, "Mask should be a boolean tensor");
}

// The mask for each element of `input`: a view of `mask`.
Tensor expand_mask(const Tensor& input, const Tensor& mask, std::optional<int64_t>& mask_type) {
  check_mask_dtype(mask);
  if (mask.dim() != 2 || input.dim() != 4) {
    mask_type = kDefault;
  }
  if (mask_type == kDefault) {
    TORCH_CHECK(input.sizes() == mask.sizes(),
                "For mask_type == 2 mask shape should match input shape");
    return mask;
  }
  if (mask_type == kPadding) {
    TORCH_CHECK(input.size(0) == mask.size(0) && input.size(2) == mask.size(1),
                "For mask_type == 1 mask shape should be (B, L)");
    return mask.unsqueeze(1).unsqueeze(1).expand(input.sizes());
  }
  if (mask_type == kSource) {
    TORCH_CHECK(input.size(2) == mask.size(0) && input.size(2) == mask.size(1),
                "For mask_type == 0 mask shape should be (L, L)");
    return mask.expand(input.sizes());
  }
  return mask;  // check_mask_type() comes after the checks of other arguments
}

void check_mask_type(std::optional<int64_t> mask_type) {
  TORCH_CHECK(mask_type.has_value(), "Mask Type should be defined");
  TORCH_CHECK(mask_type == kSource || mask_type == kPadding || mask_type == kDefault,
              "Mask Type should be 0 (src_mask) or 1 (src_key_padding_mask), or 2 (default_mask)");
}

MaskedSoftmaxOperand operand(const Tensor& tensor, int64_t dim) {
  return {strided_shape_without(tensor, dim), tensor.dim() == 0 ? 0 : tensor.stride(dim)};
}

// Whether neighbours in a row are further apart than neighbouring rows: then a thread takes a row.
bool across_memory(const Tensor& values, int64_t dim, int64_t rows) {
  return values.dim() > 0 && values.stride(dim) > 1 && rows >= kAcross.threads;
}

struct Call {
  const Kernel* kernel;
  Grid grid;
  MaskedSoftmaxParams params;
};

// `values` are read by all kernels, `result` is written; the rest of the operands are the caller's.
Call prepare(const char* stem, const Tensor& values, int64_t dim, const Tensor& mask,
             const Tensor& result) {
  Call call{};
  MaskedSoftmaxParams& params = call.params;
  params.length = values.dim() == 0 ? 1 : values.size(dim);
  params.rows = values.numel() / params.length;
  params.result = operand(result, dim);
  params.mask = operand(mask, dim);
  params.input = operand(values, dim);
  constexpr auto kFamily = "masked_softmax";
  const auto dtype = values.scalar_type();
  call.kernel = &get_kernel(kFamily, kernel_name(stem, {dtype}));
  RowTeams teams = across_memory(values, dim, params.rows)
                       ? kAcross
                       : row_teams(*call.kernel, params.length, kHeld);
  if (params.length > kHeld * teams.lanes) {
    call.kernel = &get_kernel(kFamily, kernel_name(std::string(stem) + "_long", {dtype}));
  }
  params.lanes = teams.lanes;
  call.grid = teams.grid(params.rows);
  return call;
}

Tensor masked_softmax(const Tensor& self, const Tensor& mask, std::optional<int64_t> dim,
                      std::optional<int64_t> mask_type) {
  check_same_device("_masked_softmax", {{"self", self}, {"mask", mask}});
  const Tensor expanded = expand_mask(self, mask, mask_type);
  const int64_t axis = at::maybe_wrap_dim(dim.value_or(self.dim() - 1), self.dim());
  check_dtype("masked_softmax", self.scalar_type(), kFloatingDtypes);
  check_mask_type(mask_type);
  Tensor output = at::empty_like(self);
  if (self.numel() > 0) {
    const Call call = prepare("masked_softmax", self, axis, expanded, output);
    launch(*call.kernel, call.grid, output, self, expanded, call.params);
  }
  return output;
}

Tensor masked_softmax_backward(const Tensor& grad_output, const Tensor& output, const Tensor& mask,
                               std::optional<int64_t> dim) {
  check_same_device("_masked_softmax_backward",
                    {{"grad_output", grad_output}, {"output", output}, {"mask", mask}});
  TORCH_CHECK(grad_output.sizes() == mask.sizes(), "Mask shape should match grad shape");
  check_mask_dtype(mask);
  const int64_t axis = at::maybe_wrap_dim(dim.value_or(output.dim() - 1), grad_output.dim());
  check_dtype("masked_softmax_backward", grad_output.scalar_type(), kFloatingDtypes);
  check_scalar_type(output, grad_output.scalar_type());
  TORCH_CHECK(output.sizes() == grad_output.sizes(),
              "_masked_softmax_backward: output must be of the size of grad_output, ",
              grad_output.sizes(), ", got ", output.sizes());
  Tensor grad_input = at::empty(grad_output.sizes(), grad_output.options());
  if (grad_output.numel() > 0) {
    Call call = prepare("masked_softmax_backward", output, axis, mask, grad_input);
    call.params.gradient = operand(grad_output, axis);
    launch(*call.kernel, call.grid, grad_input, grad_output, output, mask, call.params);
  }
  return grad_input;
}

}  // namespace

MPSOPS_FAMILY(masked_softmax) {
  family.dtypes(kFloatingDtypes).opinfo({"_masked_softmax"});
  family.missing<masked_softmax>("aten::_masked_softmax");
  family.missing<masked_softmax_backward>("aten::_masked_softmax_backward")
      .opinfo({"_masked_softmax", "_masked_softmax_backward"});
}

}  // namespace mpsops
