// Channels dealt out anew: (groups, channels / groups) transposed. One copy of torch's between two
// views, whatever strides and dtype; no kernel of ours, nothing waits. native_channel_shuffle,
// which is made of other ops where a device has none of its own, keeps its gradient that way and is
// left.
#include <ATen/ops/empty.h>

#include "csrc/core/checks.h"
#include "csrc/core/registry.h"

namespace mpsops {

namespace {

using at::Tensor;

constexpr std::initializer_list<at::ScalarType> kDtypes = {
    at::kFloat, at::kHalf,  at::kBFloat16, at::kComplexFloat, at::kLong,
    at::kInt,   at::kShort, at::kChar,     at::kByte,         at::kBool};

Tensor channel_shuffle(const Tensor& self, int64_t groups) {
  TORCH_CHECK(self.dim() > 2,
              "channel_shuffle expects input with > 2 dims, but got input with sizes ",
              self.sizes());
  const int64_t channels = self.size(1);
  TORCH_CHECK(groups > 0,
              "Number of groups to divide channels in must be positive. Value of groups:", groups);
  TORCH_CHECK(channels % groups == 0, "Number of channels must be divisible by groups. Got ",
              channels, " channels and ", groups, " groups.");
  if (self.numel() == 0) {
    return self.alias();
  }
  check_dtype("channel_shuffle", self.scalar_type(), kDtypes);
  const int64_t in_group = channels / groups;
  Tensor output =
      at::empty(self.sizes(), self.options().memory_format(self.suggest_memory_format()));
  output.unflatten(1, {in_group, groups})
      .copy_(self.unflatten(1, {groups, in_group}).transpose(1, 2));
  return output;
}

}  // namespace

MPSOPS_FAMILY(channel_shuffle) {
  family.dtypes(kDtypes).opinfo({"nn.functional.channel_shuffle"});
  family.missing<channel_shuffle>("aten::channel_shuffle");
}

}  // namespace mpsops
