// Ops that stock torch has on MPS: computed by the CPU kernel on the memory of the device.
#include <ATen/core/op_registration/adaption.h>
#include <torch/csrc/jit/frontend/function_schema_parser.h>

#include <unordered_map>

#include "csrc/mps/on_host.h"
#include "csrc/sim/device/counters.h"
#include "csrc/sim/device/fallback.h"
#include "csrc/sim/device/install.h"
#include "csrc/sim/device/limits.h"
#include "csrc/sim/device/stock_ops.h"

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

void stand_in(const OperatorHandle& op, Stack* stack) {
  const Entry& entry = table().at(op.operator_name());
  const auto& schema = op.schema();
  const size_t first = stack->size() - schema.arguments().size();
  check_devices(op, *entry.stock, *stack, first);
  if (entry.limit != nullptr) {
    entry.limit(&(*stack)[first]);
  }
  count_stand_in(op);

  run_on_host(op, stack);
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
