#include "csrc/mps/on_host.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/LegacyTypeDispatch.h>

#include "csrc/mps/host_alias.h"
#include "csrc/mps/host_random.h"

namespace mpsops {

uint64_t run_on_host(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto& schema = op.schema();
  const size_t first = stack->size() - schema.arguments().size();
  const at::AutoDispatchBelowADInplaceOrView below;
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  Aliases aliases;
  bool has_generator = false;
  for (size_t i = 0; i < schema.arguments().size(); ++i) {
    c10::IValue& value = (*stack)[first + i];
    if (schema.arguments()[i].name() == "generator") {
      has_generator = true;
      value = at::detail::createCPUGenerator(draw_seed(value.toOptional<at::Generator>()));
    } else {
      value = aliases.to_cpu(value);
    }
  }
  std::optional<SeededDefaultGenerator> seeded;
  if (!has_generator && op.hasTag(at::Tag::nondeterministic_seeded)) {
    seeded.emplace(draw_seed(std::nullopt));
  }
  op.callBoxed(stack);
  aliases.write_back();
  for (size_t i = stack->size() - schema.returns().size(); i < stack->size(); ++i) {
    (*stack)[i] = aliases.to_device((*stack)[i]);
  }
  return aliases.bytes_copied();
}

}  // namespace mpsops
