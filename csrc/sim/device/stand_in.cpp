// Ops that stock torch has on MPS: computed by the CPU kernel on the memory of the device.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/List.h>
#include <ATen/core/op_registration/adaption.h>
#include <ATen/mps/MPSGeneratorImpl.h>
#include <torch/csrc/jit/frontend/function_schema_parser.h>

#include <mutex>
#include <unordered_map>

#include "csrc/sim/device/alias.h"
#include "csrc/sim/device/counters.h"
#include "csrc/sim/device/fallback.h"
#include "csrc/sim/device/install.h"
#include "csrc/sim/device/limits.h"
#include "csrc/sim/device/stock_ops.h"
#include "csrc/sim/mix.h"

namespace mpsops::sim {

namespace {

using c10::IValue;
using c10::OperatorHandle;
using torch::jit::Stack;

struct Entry {
  const StockOp* stock;
  Limit limit;
};

using Table = std::unordered_map<c10::OperatorName, Entry>;

const Table& table() {
  static const auto* result = [] {
    auto* filled = new Table();
    for (size_t i = 0; i < kStockOpCount; ++i) {
      const std::string name = kStockOps[i].name;
      filled->emplace(torch::jit::parseName("aten::" + name),
                      Entry{&kStockOps[i], find_limit(name)});
    }
    return filled;
  }();
  return *result;
}

// Calls `visit` on each tensor of an argument, also in lists.
template <class Visit>
void for_each_tensor(const IValue& value, const Visit& visit) {
  if (value.isTensor()) {
    visit(value.toTensor());
  } else if (value.isTensorList()) {
    for (const at::Tensor& tensor : value.toTensorList()) {
      visit(tensor);
    }
  } else if (value.isList()) {
    for (const IValue& element : value.toListRef()) {
      for_each_tensor(element, visit);
    }
  }
}

// Which devices may meet: torch's generated wrappers want one, TensorIterator also takes CPU
// scalars. Tensors in a list of optional ones (indices) may be on the CPU.
void check_devices(const OperatorHandle& op, const StockOp& stock, const Stack& stack,
                   size_t first) {
  const auto& arguments = op.schema().arguments();
  std::optional<c10::Device> common;
  for (size_t i = 0; i < arguments.size(); ++i) {
    for_each_tensor(stack[first + i], [&](const at::Tensor& tensor) {
      if (tensor.defined() && !common && !tensor.is_cpu()) {
        common = tensor.device();
      }
    });
  }
  if (!common) {
    // Only a generator can have brought CPU tensors here.
    TORCH_CHECK(
        arguments.empty() || arguments.back().name() != "generator" || stack.back().isNone(),
        "Expected a 'cpu' device type for generator but found 'mps'");
    return;
  }
  for (size_t i = 0; i < arguments.size(); ++i) {
    const IValue& value = stack[first + i];
    if (value.isList() && !value.isTensorList()) {
      continue;
    }
    for_each_tensor(value, [&](const at::Tensor& tensor) {
      if (!tensor.defined() || tensor.device() == *common) {
        return;
      }
      const bool output =
          arguments[i].alias_info() != nullptr && arguments[i].alias_info()->isWrite();
      if (stock.device_check) {
        const auto method = c10::str("wrapper_MPS_", op.schema().name().substr(6));
        c10::impl::common_device_check_failure(*common, tensor, method.c_str(),
                                               arguments[i].name().c_str());
      }
      TORCH_CHECK(tensor.is_cpu() && tensor.dim() == 0 && !output,
                  "Expected all tensors to be on the same device, but found at least two devices, ",
                  *common, " and ", tensor.device(), "!");
    });
  }
}

// Advances the MPS generator and gives the seed of the CPU generator that stands in for it.
uint64_t draw_seed(const std::optional<at::Generator>& generator) {
  auto* impl = at::get_generator_or_default<at::MPSGeneratorImpl>(
      generator, at::mps::detail::getDefaultMPSGenerator());
  const std::scoped_lock lock(impl->mutex_);
  const uint64_t offset = impl->get_offset();
  impl->set_offset(offset + 4);
  return mix(impl->current_seed() ^ mix(offset));
}

// For kernels without a generator argument: the CPU's default generator, put back afterwards.
class BorrowedDefaultGenerator {
 public:
  explicit BorrowedDefaultGenerator(uint64_t seed) : borrowed_(mutex()) {
    at::Generator generator = at::detail::getDefaultCPUGenerator();
    const std::scoped_lock lock(generator.mutex());
    saved_ = generator.get_state();
    generator.set_current_seed(seed);
  }
  ~BorrowedDefaultGenerator() {
    at::Generator generator = at::detail::getDefaultCPUGenerator();
    const std::scoped_lock lock(generator.mutex());
    generator.set_state(saved_);
  }
  BorrowedDefaultGenerator(const BorrowedDefaultGenerator&) = delete;
  BorrowedDefaultGenerator& operator=(const BorrowedDefaultGenerator&) = delete;

 private:
  static std::recursive_mutex& mutex() {
    static std::recursive_mutex instance;
    return instance;
  }
  std::scoped_lock<std::recursive_mutex> borrowed_;
  at::Tensor saved_;
};

IValue to_cpu(Aliases& aliases, const IValue& value) {
  if (value.isTensor()) {
    return aliases.to_cpu(value.toTensor());
  }
  if (value.isTensorList()) {
    c10::List<at::Tensor> result;
    for (const at::Tensor& tensor : value.toTensorList()) {
      result.push_back(aliases.to_cpu(tensor));
    }
    return result;
  }
  if (value.isList()) {
    const auto list = value.toList();
    if (list.elementType()->kind() != c10::TypeKind::OptionalType) {
      return value;
    }
    c10::impl::GenericList result(list.elementType());
    for (const IValue& element : value.toListRef()) {
      result.push_back(to_cpu(aliases, element));
    }
    return result;
  }
  if (value.isDevice() && value.toDevice().is_mps()) {
    return c10::Device(c10::kCPU);
  }
  return value;
}

IValue to_device(Aliases& aliases, const IValue& value) {
  if (value.isTensor()) {
    return aliases.to_device(value.toTensor());
  }
  if (value.isTensorList()) {
    c10::List<at::Tensor> result;
    for (const at::Tensor& tensor : value.toTensorList()) {
      result.push_back(aliases.to_device(tensor));
    }
    return result;
  }
  return value;
}

void stand_in(const OperatorHandle& op, Stack* stack) {
  const Entry& entry = table().at(op.operator_name());
  const auto& schema = op.schema();
  const size_t first = stack->size() - schema.arguments().size();
  check_devices(op, *entry.stock, *stack, first);
  if (entry.limit != nullptr) {
    entry.limit(&(*stack)[first]);
  }
  count_stand_in(op);

  const at::AutoDispatchBelowADInplaceOrView below;
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  Aliases aliases;
  std::optional<BorrowedDefaultGenerator> borrowed;
  bool has_generator = false;
  for (size_t i = 0; i < schema.arguments().size(); ++i) {
    IValue& value = (*stack)[first + i];
    if (schema.arguments()[i].name() == "generator") {
      has_generator = true;
      value = at::detail::createCPUGenerator(draw_seed(value.toOptional<at::Generator>()));
    } else {
      value = to_cpu(aliases, value);
    }
  }
  if (entry.stock->seeded && !has_generator) {
    borrowed.emplace(draw_seed(std::nullopt));
  }
  op.callBoxed(stack);
  aliases.write_back();
  for (size_t i = stack->size() - schema.returns().size(); i < stack->size(); ++i) {
    (*stack)[i] = to_device(aliases, (*stack)[i]);
  }
}

}  // namespace

void register_stand_ins(torch::Library& aten, torch::Library& sparse) {
  const auto add = [](torch::Library& library, c10::DispatchKey key, const StockOp& stock,
                      const c10::OperatorHandle& handle) {
    if (!handle.hasKernelForDispatchKey(key)) {
      library.impl(stock.name, stock.always_cpu
                                   ? torch::CppFunction::makeFromBoxedFunction<&fall_back>()
                                   : torch::CppFunction::makeFromBoxedFunction<&stand_in>());
    }
  };
  for (const auto& [name, entry] : table()) {
    if (const auto handle = c10::Dispatcher::singleton().findSchema(name)) {
      if (entry.stock->dense) {
        add(aten, c10::DispatchKey::MPS, *entry.stock, *handle);
      }
      if (entry.stock->sparse) {
        add(sparse, c10::DispatchKey::SparseMPS, *entry.stock, *handle);
      }
    }
  }
}

}  // namespace mpsops::sim
