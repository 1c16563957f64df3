// What embedding(max_norm=) and embedding_bag(max_norm=) do to their weight. Kernels:
// metal/embedding_renorm.metal. A call with indices not seen before waits once for the device, to
// raise for one that is out of range as the CPU does (csrc/core/device_flag.h). Beside the table, a
// bit for each of its rows is needed.
#include <ATen/TensorUtils.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/norm.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <limits>

#include "csrc/core/checked_values.h"
#include "csrc/core/checks.h"
#include "csrc/core/device_flag.h"
#include "csrc/core/kernel.h"
#include "csrc/core/registry.h"
#include "csrc/core/row_teams.h"
#include "metal/params/embedding_renorm.h"

namespace mpsops {

namespace {

using at::Tensor;

constexpr int64_t kPerLane = 8;

void check_arguments(const Tensor& self, const Tensor& indices) {
  check_same_device("embedding_renorm_", {{"self", self}, {"indices", indices}});
  const at::TensorArg self_argument(self, "self", 1);
  const at::TensorArg indices_argument(indices, "indices", 2);
  at::checkDim("embedding_renorm_", self_argument, 2);
  at::checkScalarTypes("embedding_renorm_", indices_argument, {at::kLong, at::kInt});
}

// As the CPU, which takes the norm of a row.
void check_norm(const Tensor& self, double norm_type) {
  TORCH_CHECK(self.is_floating_point() || self.is_complex(),
              "norm(): input dtype should be either floating point or complex. Got ",
              self.scalar_type(), " instead.");
  if (self.size(1) == 0) {
    at::norm(at::empty({0}), norm_type);  // raises where no elements have no norm
  }
}

EmbeddingNorm norm_of(double p) {
  return p == 2.0         ? kNormTwo
         : p == 1.0       ? kNormOne
         : p == 0.0       ? kNormZero
         : !std::isinf(p) ? kNormGeneral
         : p > 0.0        ? kNormLargest
                          : kNormSmallest;
}

EmbeddingRenormParams make_params(const Tensor& self, int64_t indices, double max_norm,
                                  double norm_type) {
  EmbeddingRenormParams params{};
  params.rows = self.size(0);
  params.columns = self.size(1);
  params.stride[0] = self.stride(0);
  params.stride[1] = self.stride(1);
  params.indices = indices;
  params.p = static_cast<float>(norm_type);
  params.norm = norm_of(norm_type);
  params.max_norm = static_cast<float>(max_norm);
  params.max_norm_rest = static_cast<float>(max_norm - params.max_norm);
  // A float is above max_norm, a double, where it is above this.
  params.threshold = params.max_norm <= max_norm
                         ? params.max_norm
                         : std::nextafter(params.max_norm, -std::numeric_limits<float>::infinity());
  return params;
}

CheckedValues& checked_indices() {
  static auto* indices = new CheckedValues();
  return *indices;
}

// The CPU goes through the indices in order and fails at the first that is out of range.
[[noreturn]] void raise_out_of_range(const Tensor& self, const Tensor& indices) {
  const Tensor on_cpu = indices.to(at::kCPU, at::kLong).contiguous();
  const int64_t rows = self.size(0);
  const int64_t* values = on_cpu.const_data_ptr<int64_t>();
  int64_t first = std::numeric_limits<int64_t>::max();
  for (int64_t i = 0; i < on_cpu.numel(); ++i) {
    if ((values[i] < -rows || values[i] >= rows) && values[i] < first) {
      first = values[i];
    }
  }
  self.select(0, first);
  TORCH_CHECK_INDEX(false, "embedding_renorm_: indices must be below ", rows, ", got ", first);
}

Tensor& embedding_renorm_(Tensor& self, const Tensor& indices, double max_norm, double norm_type) {
  check_arguments(self, indices);
  if (indices.numel() == 0) {
    return self;
  }
  check_norm(self, norm_type);
  auto params = make_params(self, indices.numel(), max_norm, norm_type);
  const Kernel& kernel =
      get_kernel("embedding_renorm",
                 kernel_name("embedding_renorm", {self.scalar_type(), indices.scalar_type()}));
  const RowTeams teams = row_teams(kernel, params.columns, kPerLane);
  params.lanes = teams.lanes;
  const Tensor taken = at::zeros({params.rows / 32 + 1}, self.options().dtype(at::kInt));
  const Tensor dense_indices = indices.contiguous();
  ValueCheck flag(checked_indices(), indices, params.rows);
  launch(kernel, teams.grid(params.indices), self, dense_indices, taken, flag.word(), params);
  if (flag.read() != 0) {
    raise_out_of_range(self, indices);
  }
  return self;
}

}  // namespace

MPSOPS_FAMILY(embedding_renorm) {
  family.dtypes({at::kFloat, at::kHalf, at::kBFloat16, at::kComplexFloat})
      .opinfo({"embedding_renorm"});
  family.partial<embedding_renorm_>("aten::embedding_renorm_")
      .because("torch copies the table to the CPU and back");
}

}  // namespace mpsops
