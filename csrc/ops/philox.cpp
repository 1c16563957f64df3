// Kernels: metal/philox.metal. Random numbers without a generator (torch.func._random): torch has
// these ops for CUDA alone, whose checks and results these are.
#include <ATen/ExpandUtils.h>
#include <ATen/MemoryOverlap.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <string>

#include "csrc/core/checks.h"
#include "csrc/core/kernel.h"
#include "csrc/core/registry.h"
#include "csrc/core/strided.h"
#include "metal/params/philox.h"

namespace mpsops {

namespace {

constexpr int64_t kNumbersPerBlock = 4;

void check_key(const char* op, const at::Tensor& key) {
  TORCH_CHECK(key.dim() >= 1 && key.size(-1) == 2, op,
              ": key must have shape (*batch, 2), got shape ", key.sizes());
  TORCH_CHECK(key.scalar_type() == at::kUInt64, op, ": key must have dtype uint64, got ",
              key.scalar_type());
}

// Keys from `splits` blocks of each key, from block `first` on; `output` has the keys of each
// block one after the other, and `layout` is the first of those.
void launch_derive(const at::Tensor& key, const at::Tensor& output, const at::Tensor& layout,
                   int64_t splits, int64_t first) {
  if (key.numel() == 0) {
    return;
  }
  PhiloxDeriveParams params{};
  params.input = strided_shape_without(key, key.dim() - 1);
  params.output = strided_shape_without(layout, layout.dim() - 1);
  params.input_stride = key.stride(-1);
  params.output_stride = layout.stride(-1);
  params.split_stride = layout.numel();
  params.keys = key.numel() / 2;
  params.splits = splits;
  params.first = first;
  const Kernel& kernel = get_kernel("philox", "philox_derive");
  launch(kernel, grid_for(kernel, params.keys * splits), output, key, params);
}

at::Tensor philox_key_split(const at::Tensor& key, int64_t num_splits) {
  check_key("_philox_key_split", key);
  TORCH_CHECK(num_splits > 0, "_philox_key_split: num_splits must be positive, got ", num_splits);
  c10::DimVector sizes(key.sizes());
  sizes.insert(sizes.begin(), num_splits);
  at::Tensor output = at::empty(sizes, key.options());
  launch_derive(key, output, output.select(0, 0), num_splits, 0);
  return output;
}

at::Tensor philox_key_fold_in(const at::Tensor& key, int64_t data) {
  check_key("_philox_key_fold_in", key);
  at::Tensor output = at::empty_like(key);
  launch_derive(key, output, output, 1, data);
  return output;
}

void check_fill(const char* op, const at::Tensor& self, const at::Tensor& key) {
  TORCH_CHECK(self.is_floating_point(), op, ": self must be a floating point tensor, got ",
              self.scalar_type());
  TORCH_CHECK(key.scalar_type() == at::kUInt64, op, ": key must have dtype uint64, got ",
              key.scalar_type());
  TORCH_CHECK(self.device() == key.device(), op, ": self and key must be on the same device, got ",
              self.device(), " and ", key.device());
  TORCH_CHECK(key.dim() >= 1 && key.size(-1) == 2, op,
              ": key must have shape (2,) or (*batch, 2), got shape ", key.sizes());
  if (key.dim() > 1) {
    TORCH_CHECK(key.dim() == self.dim() + 1, op,
                ": batched key must have ndim == output ndim + 1, got key shape ", key.sizes(),
                " with output shape ", self.sizes());
    const auto batch = key.sizes().slice(0, self.dim());
    TORCH_CHECK(at::is_expandable_to(batch, self.sizes()), op, ": key batch shape ", batch,
                " is not broadcastable with output shape ", self.sizes());
  }
}

// Trailing dimensions in which the key has size 1 are filled by one key.
int64_t keyed_dims(const at::Tensor& key) {
  int64_t dims = key.dim() - 1;
  while (dims > 0 && key.size(dims - 1) == 1) {
    --dims;
  }
  return dims;
}

at::Tensor& fill(const char* op, const char* stem, at::Tensor& self, const at::Tensor& key,
                 float scale, float shift) {
  check_fill(op, self, key);
  at::assert_no_internal_overlap(self);
  if (self.numel() == 0) {
    return self;
  }
  const int64_t dims = keyed_dims(key);
  c10::DimVector key_sizes(self.sizes().slice(0, dims));
  key_sizes.push_back(2);
  at::Tensor keys = key;
  for (int64_t dim = key.dim() - 2; dim >= dims; --dim) {
    keys = keys.select(dim, 0);
  }
  keys = keys.expand(key_sizes);

  PhiloxFillParams params{};
  params.output = strided_shape_without(self, -1);
  params.keys = strided_shape_without(keys, dims);
  params.key_stride = keys.stride(dims);
  params.key_count = keys.numel() / 2;
  params.elements = self.numel() / params.key_count;
  params.blocks = (params.elements + kNumbersPerBlock - 1) / kNumbersPerBlock;
  params.scale = scale;
  params.shift = shift;
  const Kernel& kernel = get_kernel("philox", kernel_name(stem, {self.scalar_type()}));
  launch(kernel, grid_for(kernel, params.key_count * params.blocks), self, keys, params);
  return self;
}

template <class T>
float range_in(double low, double high) {
  return static_cast<T>(static_cast<T>(high) - static_cast<T>(low));
}

at::Tensor& philox_uniform_(at::Tensor& self, const at::Tensor& key, double low, double high) {
  float from = static_cast<float>(low);
  float range = range_in<float>(low, high);
  if (self.scalar_type() == at::kHalf) {
    from = static_cast<at::Half>(low);
    range = range_in<at::Half>(low, high);
  } else if (self.scalar_type() == at::kBFloat16) {
    from = static_cast<at::BFloat16>(low);
    range = range_in<at::BFloat16>(low, high);
  }
  return fill("_philox_uniform_", "philox_uniform", self, key, range, from);
}

at::Tensor& philox_normal_(at::Tensor& self, const at::Tensor& key, double mean, double std) {
  return fill("_philox_normal_", "philox_normal", self, key, static_cast<float>(std),
              static_cast<float>(mean));
}

}  // namespace

MPSOPS_FAMILY(philox) {
  family.dtypes(kFloatingDtypes);
  family.missing<philox_key_split>("aten::_philox_key_split")
      .dtypes({at::kUInt64})
      .opinfo({"func._random.split"});
  family.missing<philox_key_fold_in>("aten::_philox_key_fold_in")
      .dtypes({at::kUInt64})
      .opinfo({"func._random.fold_in"});
  family.missing<philox_uniform_>("aten::_philox_uniform_").opinfo({"func._random.uniform"});
  family.missing<philox_normal_>("aten::_philox_normal_").opinfo({"func._random.normal"});
}

}  // namespace mpsops
