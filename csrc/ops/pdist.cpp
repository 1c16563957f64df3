#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <bit>
#include <cmath>

#include "csrc/core/checks.h"
#include "csrc/core/kernel.h"
#include "csrc/core/registry.h"
#include "metal/params/pdist.h"

namespace mpsops {

namespace {

using at::Tensor;

constexpr int64_t kLimit32 = int64_t{1} << 31;
constexpr uint32_t kThreadsPerGroup = 256;
constexpr uint32_t kSimdgroup = 32;

// Kernels count in 32 bits where the products of sizes allow.
std::string kernel_for(std::string stem, const char* norm, const PdistParams& params) {
  stem += norm;
  const int64_t last_grad = params.pairs * std::max<int64_t>(params.grad_stride, 1);
  if (last_grad >= kLimit32 || params.rows * params.features >= kLimit32) {
    stem += "_wide";
  }
  return kernel_name(stem, {at::kFloat});
}

Grid grid(const Kernel& kernel, int64_t threads) {
  const uint32_t group = std::min(kernel.max_total_threads_per_threadgroup(), kThreadsPerGroup) /
                         kSimdgroup * kSimdgroup;
  return groups_for((threads + group - 1) / group, group);
}

int64_t pair_count(const Tensor& self) {
  const int64_t rows = self.size(0);
  return rows * (rows - 1) / 2;
}

Tensor pdist_forward(const Tensor& self, double p) {
  TORCH_CHECK(self.is_contiguous(), "_pdist_forward requires contiguous input");
  TORCH_CHECK(self.dim() == 2, "pdist only supports 2D tensors, got: ", self.dim(), "D");
  if (self.size(0) <= 1) {
    return at::empty({0}, self.options());
  }
  PdistParams params{};
  params.rows = self.size(0);
  params.features = self.size(1);
  params.pairs = pair_count(self);
  if (params.features == 0) {
    return at::zeros({params.pairs}, self.options());
  }
  check_dtype("pdist", self.scalar_type(), {at::kFloat});
  Tensor distances = at::empty({params.pairs}, self.options());
  // As on the CPU, p counts in float32 here: one that underflows is 0.
  params.p = static_cast<float>(p);
  const char* const norm = params.p == 0.0f       ? "_zero"
                           : params.p == 1.0f     ? "_one"
                           : params.p == 2.0f     ? "_two"
                           : std::isinf(params.p) ? "_infinity"
                                                  : "_general";
  // Four features or more per lane; rows of fewer leave lanes to other pairs.
  params.lanes = static_cast<uint32_t>(std::bit_floor(
      static_cast<uint64_t>(std::clamp<int64_t>(params.features / 4, 1, kSimdgroup))));
  const Kernel& kernel = get_kernel("pdist", kernel_for("pdist", norm, params));
  launch(kernel, grid(kernel, params.pairs * params.lanes), distances, self, params);
  return distances;
}

Tensor pdist_backward(const Tensor& grad, const Tensor& self, double p, const Tensor& pdist) {
  TORCH_CHECK(self.is_contiguous(), "_pdist_backward requires self to be contiguous");
  TORCH_CHECK(pdist.is_contiguous(), "_pdist_backward requires pdist to be contiguous");
  TORCH_CHECK(self.dim() == 2, "pdist only supports 2D tensors, got: ", self.dim(), "D");
  PdistParams params{};
  params.rows = self.size(0);
  params.features = self.size(1);
  params.pairs = pair_count(self);
  const auto check_pairs = [&](const char* name, const Tensor& tensor) {
    TORCH_CHECK(tensor.dim() == 1 && tensor.size(0) == params.pairs, "_pdist_backward: ", name,
                " must be of sizes [", params.pairs, "], got ", tensor.sizes());
  };
  check_pairs("grad", grad);
  check_pairs("pdist", pdist);
  if (self.numel() == 0) {
    return at::empty(self.sizes(), self.options());
  }
  check_dtype("pdist_backward", self.scalar_type(), {at::kFloat});
  for (const Tensor* tensor : std::initializer_list<const Tensor*>{&grad, &pdist}) {
    TORCH_CHECK(tensor->scalar_type() == self.scalar_type(), "expected scalar type ",
                self.scalar_type(), " but found ", tensor->scalar_type());
  }
  if (p == 0.0 || params.pairs == 0) {
    return at::zeros(self.sizes(), self.options());
  }
  Tensor grad_input = at::empty(self.sizes(), self.options());
  params.p = static_cast<float>(p);
  params.grad_stride = grad.stride(0);
  const char* const norm = p == 1.0        ? "_one"
                           : p < 2.0       ? "_below_two"
                           : p == 2.0      ? "_two"
                           : std::isinf(p) ? "_infinity"
                                           : "_general";
  params.lanes = static_cast<uint32_t>(
      std::min<uint64_t>(kSimdgroup, std::bit_ceil(static_cast<uint64_t>(params.features))));
  const int64_t blocks = (params.features + params.lanes - 1) / params.lanes;
  const Kernel& kernel = get_kernel("pdist", kernel_for("pdist_backward", norm, params));
  launch(kernel, grid(kernel, params.rows * blocks * kSimdgroup), grad_input, grad, self, pdist,
         params);
  return grad_input;
}

}  // namespace

MPSOPS_FAMILY(pdist) {
  family.dtypes({at::kFloat}).opinfo({"nn.functional.pdist"});
  family.missing<pdist_forward>("aten::_pdist_forward");
  family.missing<pdist_backward>("aten::_pdist_backward");
}

}  // namespace mpsops
