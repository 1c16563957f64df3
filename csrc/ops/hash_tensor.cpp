// hash_tensor. Kernels: metal/hash_tensor.metal.
#include <ATen/WrapDimUtils.h>
#include <ATen/native/ReduceOpsUtils.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "csrc/core/checks.h"
#include "csrc/core/kernel.h"
#include "csrc/core/overloads.h"
#include "csrc/core/registry.h"
#include "csrc/core/strided.h"
#include "metal/params/hash_tensor.h"

namespace mpsops {

namespace {

constexpr uint32_t kLanes = 32;
constexpr uint32_t kRowThreads = 256;           // of a group, a simdgroup for each row
constexpr int64_t kThreads = int64_t{1} << 17;  // that keep a large GPU busy
constexpr int64_t kElementsPerThread = 16;      // at least, where threads share an output

struct Dimensions {
  c10::DimVector sizes;
  c10::DimVector strides;

  void add(const at::Tensor& tensor, int64_t dim) {
    sizes.push_back(tensor.size(dim));
    strides.push_back(tensor.stride(dim));
  }
};

// The outermost first, so that what can be merged is; the order of elements does not matter.
Dimensions sorted_by_stride(const at::Tensor& self, const at::native::DimMask& mask) {
  c10::DimVector dims;
  for (int64_t dim = 0; dim < self.dim(); ++dim) {
    if (mask[dim]) {
      dims.push_back(dim);
    }
  }
  std::stable_sort(dims.begin(), dims.end(),
                   [&](int64_t a, int64_t b) { return self.stride(a) > self.stride(b); });
  Dimensions sorted;
  for (const int64_t dim : dims) {
    sorted.add(self, dim);
  }
  return sorted;
}

HashTensorParams make_params(const at::Tensor& self, const at::native::DimMask& mask) {
  Dimensions kept;
  for (int64_t dim = 0; dim < self.dim(); ++dim) {
    if (!mask[dim]) {
      kept.add(self, dim);
    }
  }
  const Dimensions reduced = sorted_by_stride(self, mask);
  HashTensorParams params{};
  params.kept = strided_shape(kept.sizes, kept.strides);
  params.reduced = strided_shape(reduced.sizes, reduced.strides);
  params.outputs = c10::multiply_integers(kept.sizes);
  params.length = c10::multiply_integers(reduced.sizes);
  return params;
}

// Between neighbours, in elements.
int64_t innermost_stride(const StridedShape& shape) {
  return shape.ndim > 0 ? shape.strides[shape.ndim - 1] : std::numeric_limits<int64_t>::max();
}

// `threads` work on each part.
void set_parts(HashTensorParams& params, int64_t threads) {
  const int64_t wanted = kThreads / threads / params.outputs;
  const int64_t useful = params.length / (threads * kElementsPerThread);
  params.parts = std::max<int64_t>(std::min(wanted, useful), 1);
  params.chunk = (params.length + params.parts - 1) / params.parts;
}

// `output` is contiguous.
void launch_hash(const at::Tensor& self, HashTensorParams& params, const at::Tensor& output) {
  const bool rows =
      params.length >= kLanes && innermost_stride(params.reduced) <= innermost_stride(params.kept);
  set_parts(params, rows ? kLanes : 1);
  const Kernel& kernel = get_kernel(
      "hash_tensor", kernel_name(rows ? "hash_rows" : "hash_columns", {self.scalar_type()}));
  if (params.parts > 1) {
    output.zero_();
  }
  const int64_t work = params.outputs * params.parts;
  constexpr int64_t kRowsPerGroup = kRowThreads / kLanes;
  launch(kernel,
         rows ? groups_for((work + kRowsPerGroup - 1) / kRowsPerGroup, kRowThreads)
              : grid_for(kernel, work),
         output, self, params);
}

at::Tensor& hash_tensor_out(const at::Tensor& self, at::IntArrayRef dim, bool keepdim, int64_t mode,
                            at::Tensor& out) {
  check_same_device("hash_tensor", {{"self", self}, {"out", out}});
  TORCH_CHECK(mode == 0, "Unknown hash_tensor mode: ", mode);
  TORCH_CHECK(!out.defined() || out.scalar_type() == at::kUInt64,
              "Expected result to be of dtype uint64, but got ", out.scalar_type());
  if (self.numel() == 0) {
    at::native::zero_numel_check_dims(self, dim, "hash_tensor");
  }
  const auto mask = at::native::make_dim_mask(dim, self.dim());
  set_output(out, at::native::shape_from_dim_mask(self, mask, keepdim),
             self.options().dtype(at::kUInt64));
  if (self.numel() == 0) {
    return out.fill_(0);
  }
  check_dtype("xor_sum_cpu", self.scalar_type(), kAllDtypes);
  HashTensorParams params = make_params(self, mask);
  const DenseOutput dense(out);
  launch_hash(self, params, *dense);
  dense.copy_back();
  return out;
}

}  // namespace

MPSOPS_FAMILY(hash_tensor) {
  family.dtypes(kAllDtypes).opinfo({"hash_tensor"});
  family.missing<functional<hash_tensor_out>>("aten::hash_tensor");
  family.missing<hash_tensor_out>("aten::hash_tensor.out");
}

}  // namespace mpsops
