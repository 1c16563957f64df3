// What nn.MultiheadAttention's fast path does between the projection and the attention. Kernels:
// metal/transform_bias_rescale_qkv.metal. Nothing waits. The CPU kernel returns three views of one
// tensor; here they are three.
#include <ATen/ops/empty.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "csrc/core/checks.h"
#include "csrc/core/kernel.h"
#include "csrc/core/registry.h"
#include "metal/params/transform_bias_rescale_qkv.h"

namespace mpsops {

namespace {

using at::Tensor;

constexpr uint32_t kThreads = 256;
constexpr int64_t kMaxTokenRows = int64_t{1} << 16;

void check_arguments(const Tensor& qkv, const Tensor& bias, int64_t heads) {
  check_same_device("_transform_bias_rescale_qkv", {{"qkv", qkv}, {"qkv_bias", bias}});
  TORCH_CHECK_INDEX(qkv.dim() >= 3, "Dimension out of range (expected to be in range of [",
                    -qkv.dim(), ", ", qkv.dim() - 1, "], but got 2)");
  const int64_t width = qkv.size(2);
  constexpr auto kUnclear =
      " to be true, but got false.  (Could this error message be improved?  If so, please report "
      "an enhancement request to PyTorch.)";
  TORCH_CHECK(heads > 0, "_transform_bias_rescale_qkv: num_heads must be positive, got ", heads);
  TORCH_CHECK(width / 3 % heads == 0, "Expected D % num_head == 0", kUnclear);
  TORCH_CHECK(width % 3 == 0, "Expected _3D % 3 == 0", kUnclear);
  TORCH_CHECK(qkv.dim() == 3, "_transform_bias_rescale_qkv: qkv must have 3 dimensions, got ",
              qkv.sizes());
  check_dtype("transform_bias_rescale_qkv", qkv.scalar_type(), kFloatingDtypes);
  check_scalar_type(bias, qkv.scalar_type());
  TORCH_CHECK(bias.dim() == 1 && bias.size(0) == width,
              "_transform_bias_rescale_qkv: qkv_bias must be of size [", width, "], got ",
              bias.sizes());
  TORCH_CHECK(std::max(width, qkv.size(1)) < std::numeric_limits<uint32_t>::max(),
              "_transform_bias_rescale_qkv: sizes must be below 2^32, got ", qkv.sizes());
}

std::tuple<Tensor, Tensor, Tensor> transform_bias_rescale_qkv(const Tensor& qkv, const Tensor& bias,
                                                              int64_t heads) {
  check_arguments(qkv, bias, heads);
  const int64_t features = qkv.size(2) / 3;
  const int64_t per_head = features / heads;
  const auto make_output = [&] {
    return at::empty({qkv.size(0), heads, qkv.size(1), per_head}, qkv.options());
  };
  std::tuple<Tensor, Tensor, Tensor> outputs{make_output(), make_output(), make_output()};
  if (qkv.numel() == 0) {
    return outputs;
  }
  TransformBiasRescaleQkvParams params{};
  std::copy_n(qkv.strides().begin(), 3, params.stride);
  params.bias_stride = bias.stride(0);
  params.tokens = qkv.size(0) * qkv.size(1);
  params.length = static_cast<uint32_t>(qkv.size(1));
  params.features = static_cast<uint32_t>(features);
  params.head = static_cast<uint32_t>(per_head);
  params.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(per_head)));

  constexpr auto kName = "transform_bias_rescale_qkv";
  const bool narrow = params.tokens < std::numeric_limits<int32_t>::max();
  const Kernel& kernel = get_kernel(
      kName, kernel_name(narrow ? kName : "transform_bias_rescale_qkv_wide", {qkv.scalar_type()}));
  const auto width = static_cast<uint32_t>(qkv.size(2));
  const auto rows = static_cast<uint32_t>(std::min(params.tokens, kMaxTokenRows));
  const uint32_t across = std::min(kThreads, std::bit_ceil(std::min(width, kThreads)));
  const Grid grid{Grid::Unit::kThreads, {width, rows}, {across, kThreads / across}};
  const auto& [query, key, value] = outputs;
  launch(kernel, grid, query, key, value, qkv, bias, params);
  return outputs;
}

}  // namespace

MPSOPS_FAMILY(transform_bias_rescale_qkv) {
  family.dtypes(kFloatingDtypes).opinfo({"_transform_bias_rescale_qkv"});
  family.missing<transform_bias_rescale_qkv>("aten::_transform_bias_rescale_qkv");
}

}  // namespace mpsops
