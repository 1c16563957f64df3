// Kernels: metal/poisson.metal. The generator advances by one block of four numbers per element.
// A call waits once for the device, to raise for negative rates as the CPU does
// (csrc/core/device_flag.h), unless the rates, unchanged, were checked by a call before.
#include <ATen/TensorIterator.h>
#include <ATen/ops/empty.h>

#include "csrc/core/checked_values.h"
#include "csrc/core/checks.h"
#include "csrc/core/device_flag.h"
#include "csrc/core/elementwise.h"
#include "csrc/core/random.h"
#include "csrc/core/registry.h"

namespace mpsops {

namespace {

CheckedValues& checked_rates() {
  static auto* values = new CheckedValues();
  return *values;
}

at::Tensor poisson(const at::Tensor& self, std::optional<at::Generator> generator) {
  at::Tensor output = at::empty(self.sizes(), self.options());
  check_dtype("poisson_cpu", self.scalar_type(), kFloatingDtypes);
  const PhiloxParams philox = take_philox_blocks(generator, self.numel());
  // Numbers belong to logical positions, whatever the strides of the rates.
  at::TensorIterator iterator = at::TensorIteratorConfig()
                                    .add_output(output)
                                    .add_const_input(self)
                                    .enforce_linear_iteration()
                                    .build();
  constexpr int64_t kBound = 0;
  ValueCheck flag(checked_rates(), self, kBound, self.numel() > 0);
  launch_over("poisson", "poisson", {self.scalar_type()}, iterator, philox, flag.word());
  TORCH_CHECK(flag.read() == 0, "invalid Poisson rate, expected rate to be non-negative");
  return output;
}

}  // namespace

MPSOPS_FAMILY(poisson) {
  family.dtypes(kFloatingDtypes).opinfo({"poisson"});
  family.missing<poisson>("aten::poisson");
}

}  // namespace mpsops
