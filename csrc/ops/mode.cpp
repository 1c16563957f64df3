// mode. Where several indices hold the mode, the last is returned, as by the CPU kernel for rows of
// up to 16; above, the CPU's choice is left to std::sort, which differs between C++ libraries.
#include <ATen/WrapDimUtils.h>
#include <ATen/native/ReduceOpsUtils.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <bit>
#include <limits>

#include "csrc/core/checks.h"
#include "csrc/core/kernel.h"
#include "csrc/core/overloads.h"
#include "csrc/core/registry.h"
#include "csrc/core/strided.h"
#include "metal/params/mode.h"

namespace mpsops {

namespace {

constexpr int64_t kMaxSorted = 2048;        // two keys for each of 1024 threads
constexpr uint32_t kMinGroup = 128;         // short rows share a group
constexpr int64_t kMaxGroups = 256;         // that share the rows, when those are few
constexpr int64_t kDistinctPerPass = 2048;  // kMaxDistinct of metal/mode.metal

void launch_sorted(const at::Tensor& self, const at::Tensor& values, const at::Tensor& indices,
                   ModeParams& params, const Kernel& kernel) {
  params.padded = std::bit_ceil(static_cast<uint32_t>(std::max<int64_t>(params.length, 2)));
  const uint32_t width = params.padded / 2;
  const uint32_t threads = std::max(width, kMinGroup);
  const uint32_t rows_per_group = threads / width;
  const size_t key_size = self.scalar_type() == at::kLong ? sizeof(uint64_t) : sizeof(uint32_t);
  const ThreadgroupMemory keys{static_cast<uint32_t>(rows_per_group * params.padded * key_size)};
  launch(kernel, groups_for((params.rows + rows_per_group - 1) / rows_per_group, threads), self,
         values, indices, params, keys);
}

void launch_counted(const at::Tensor& self, const at::Tensor& values, const at::Tensor& indices,
                    ModeParams& params) {
  TORCH_CHECK(params.length <= std::numeric_limits<uint32_t>::max(),
              "mode: size of self in dim must be at most 4294967295, got ", params.length);
  const Kernel& kernel = get_kernel("mode", kernel_name("mode_counted", {self.scalar_type()}));
  const int64_t useful = std::min((params.length + kDistinctPerPass - 1) / kDistinctPerPass,
                                  std::max<int64_t>(kMaxGroups / params.rows, 1));
  params.depth = static_cast<uint32_t>(std::bit_width(static_cast<uint64_t>(useful)) - 1);
  const int64_t groups = params.rows << params.depth;
  const uint32_t threads =
      std::bit_floor(std::min(kernel.max_total_threads_per_threadgroup(), 1024u));
  if (params.depth == 0) {
    // No candidates; Metal's validation wants a buffer at every index.
    launch(kernel, groups_for(groups, threads), self, values, indices, indices, params);
    return;
  }
  const Kernel& merge = get_kernel("mode", kernel_name("mode_merged", {self.scalar_type()}));
  const at::Tensor candidates = at::empty({groups, 2}, self.options().dtype(at::kInt));
  launch_all({make_dispatch(kernel, groups_for(groups, threads), self, values, indices, candidates,
                            params),
              make_dispatch(merge, groups_for(params.rows, 32), self, values, indices, candidates,
                            params)});
}

// `values` and `indices` are contiguous, with one element for each row of `self`.
void launch_mode(const at::Tensor& self, int64_t dim, const at::Tensor& values,
                 const at::Tensor& indices) {
  ModeParams params{};
  params.rows_shape = strided_shape_without(self, dim);
  params.rows = values.numel();
  params.length = self.size(dim);
  params.stride = self.stride(dim);
  const Kernel& sorted = get_kernel("mode", kernel_name("mode_sorted", {self.scalar_type()}));
  const auto max_threads = static_cast<int64_t>(sorted.max_total_threads_per_threadgroup());
  if (params.length <= std::min(kMaxSorted, 2 * max_threads)) {
    launch_sorted(self, values, indices, params, sorted);
  } else {
    launch_counted(self, values, indices, params);
  }
}

void check_layout(const at::Tensor& self) {
  TORCH_CHECK(self.layout() == at::kStrided,
              "mode only supports strided layout, got: ", self.layout());
}

// Checks `dim` and wraps it.
c10::DimVector output_sizes(const at::Tensor& self, int64_t& dim, bool keepdim) {
  dim = at::maybe_wrap_dim(dim, self.dim());
  c10::DimVector sizes(self.sizes());
  if (sizes.empty()) {
    return sizes;
  }
  if (self.numel() == 0) {
    at::native::zero_numel_check_dims(self, dim, "mode()");
  }
  sizes[dim] = 1;
  if (!keepdim) {
    sizes.erase(sizes.begin() + dim);
  }
  return sizes;
}

// `values` and `indices` have the output's sizes.
void fill_outputs(const at::Tensor& self, int64_t dim, const at::Tensor& values,
                  const at::Tensor& indices) {
  if (self.numel() == 0) {
    return;
  }
  if (self.dim() == 0) {
    values.copy_(self);
    indices.zero_();
    return;
  }
  check_dtype("mode_cpu", self.scalar_type(), kAllDtypes);
  const DenseOutput dense_values(values);
  const DenseOutput dense_indices(indices);
  launch_mode(self, dim, *dense_values, *dense_indices);
  dense_values.copy_back();
  dense_indices.copy_back();
}

void check_outputs(const at::Tensor& self, const at::Tensor& values, const at::Tensor& indices) {
  TORCH_CHECK(self.device() == values.device(), "expected device '", self.device(), "' but got '",
              values.device(), "' for values output");
  TORCH_CHECK(self.device() == indices.device(), "expected device '", self.device(), "' but got '",
              indices.device(), "' for indices output");
  TORCH_CHECK(self.scalar_type() == values.scalar_type(), "expected scalar type '",
              self.scalar_type(), "' but got '", values.scalar_type(), "' for values output");
  TORCH_CHECK(indices.scalar_type() == at::kLong, "expected scalar type '", at::kLong,
              "' but got '", indices.scalar_type(), "' for indices output");
}

std::tuple<at::Tensor&, at::Tensor&> mode_out(const at::Tensor& self, int64_t dim, bool keepdim,
                                              at::Tensor& values, at::Tensor& indices) {
  check_layout(self);
  if (values.defined()) {
    check_outputs(self, values, indices);
  }
  const auto sizes = output_sizes(self, dim, keepdim);
  set_output(values, sizes, self.options());
  set_output(indices, sizes, self.options().dtype(at::kLong));
  fill_outputs(self, dim, values, indices);
  return {values, indices};
}

}  // namespace

MPSOPS_FAMILY(mode) {
  family.dtypes(kAllDtypes).opinfo({"mode"});
  // The second dispatch merges what groups found that share a long row.
  family.missing<functional<mode_out>>("aten::mode").max_dispatches(2);
  // ATen's composite of this overload refuses devices other than its own three.
  family.missing<mode_out>("aten::mode.values").max_dispatches(2);
}

}  // namespace mpsops
