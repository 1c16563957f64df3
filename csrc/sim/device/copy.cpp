// Copies between the device and the CPU, and reading one element.
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/_local_scalar_dense_native.h>
#include <ATen/ops/copy.h>
#include <ATen/ops/zero.h>

#include "csrc/mps/host_alias.h"
#include "csrc/sim/device/install.h"
#include "csrc/sim/device/memory.h"

namespace mpsops::sim {

namespace {

at::Tensor& copy_(at::Tensor& self, const at::Tensor& src, bool non_blocking) {
  const at::AutoDispatchBelowADInplaceOrView below;
  if (src._is_zerotensor()) {
    return self.zero_();
  }
  Aliases aliases;
  if (self.is_cpu() && !non_blocking) {
    throw_device_errors();
  }
  auto to = aliases.to_cpu(self);
  to.copy_(aliases.to_cpu(src));
  return self;
}

at::Tensor copy_from(const at::Tensor& self, const at::Tensor& dst, bool non_blocking) {
  at::Tensor to = dst;
  return copy_(to, self, non_blocking);
}

at::Tensor copy_from_and_resize(const at::Tensor& self, const at::Tensor& dst) {
  if (self.sizes() != dst.sizes()) {
    dst.resize_(self.sizes());
  }
  return copy_from(self, dst, false);
}

at::Scalar local_scalar_dense(const at::Tensor& self) {
  const at::AutoDispatchBelowADInplaceOrView below;
  throw_device_errors();
  Aliases aliases;
  return at::native::_local_scalar_dense_cpu(aliases.to_cpu(self));
}

}  // namespace

void register_copies(torch::Library& aten) {
  aten.impl("copy_", TORCH_FN(copy_));
  aten.impl("_copy_from", TORCH_FN(copy_from));
  aten.impl("_copy_from_and_resize", TORCH_FN(copy_from_and_resize));
  aten.impl("_local_scalar_dense", TORCH_FN(local_scalar_dense));
}

}  // namespace mpsops::sim
