#include "csrc/mps/cpu_path.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/detail/MPSHooksInterface.h>
#include <ATen/native/CPUFallback.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "csrc/core/registry.h"
#include "csrc/mps/host_memory.h"
#include "csrc/mps/on_host.h"
#include "csrc/mps/sparse_compressed.h"
#include "csrc/trace/trace.h"

namespace mpsops::cpu_path {

namespace {

using c10::DispatchKey;
using c10::OperatorHandle;
using torch::jit::Stack;

struct State {
  std::mutex mutex;
  std::vector<c10::RegistrationHandleRAII> registrations;
  std::set<std::string> names;
  std::unordered_map<c10::OperatorName, Calls> calls;
  std::unordered_set<c10::OperatorName> warned;
};

void (*warning)(const std::string&) = [](const std::string& text) { TORCH_WARN(text); };

State& state() {
  static auto* instance = new State();
  return *instance;
}

void warn_once(const OperatorHandle& op) {
  {
    const std::scoped_lock lock(state().mutex);
    if (!state().warned.insert(op.operator_name()).second) {
      return;
    }
  }
  warning(
      c10::str("mpsops: ", op.operator_name(),
               " has no MPS kernel. It runs on the CPU, on the same memory: nothing is copied, but "
               "the GPU has to finish first. `python -m mpsops run` shows what that costs."));
}

void count(const OperatorHandle& op, uint64_t bytes_copied) {
  const std::scoped_lock lock(state().mutex);
  Calls& calls = state().calls[op.operator_name()];
  ++calls.calls;
  calls.bytes_copied += bytes_copied;
}

bool reachable(const at::Tensor& tensor) {
  if (!tensor.defined() || !tensor.is_mps()) {
    return true;
  }
  if (tensor.is_sparse()) {
    return reachable(tensor._indices()) && reachable(tensor._values());
  }
  if (is_compressed(tensor)) {
    const auto parts = parts_of(tensor);
    return reachable(parts.compressed_indices) && reachable(parts.plain_indices) &&
           reachable(parts.values);
  }
  return !tensor.has_storage() || is_shared(tensor.storage());
}

bool reachable(const c10::IValue& value) {
  if (value.isTensor()) {
    return reachable(value.toTensor());
  }
  if (!value.isList()) {
    return true;
  }
  const auto list = value.toListRef();
  return std::all_of(list.begin(), list.end(),
                     [](const c10::IValue& element) { return reachable(element); });
}

void run(const OperatorHandle& op, Stack* stack) {
  warn_once(op);
  const auto arguments = torch::jit::last(*stack, op.schema().arguments().size());
  if (!std::all_of(arguments.begin(), arguments.end(),
                   [](const c10::IValue& value) { return reachable(value); })) {
    at::native::cpu_fallback(op, stack);
    return;
  }
  at::detail::getMPSHooks().deviceSynchronize();
  const HostMemoryGuard results_stay;
  const uint64_t bytes_copied = run_on_host(op, stack);
  count(op, bytes_copied);
  note_cpu_path(bytes_copied);
}

bool has(const OperatorHandle& op, DispatchKey key) {
  return op.hasKernelForDispatchKey(key);
}

// Composite ops work through their parts. A sparse tensor needs a sparse kernel all the same.
bool is_composite(const OperatorHandle& op) {
  return has(op, DispatchKey::CompositeImplicitAutograd) ||
         has(op, DispatchKey::CompositeExplicitAutograd) ||
         has(op, DispatchKey::CompositeExplicitAutogradNonFunctional);
}

// What every constructor of compressed sparse tensors ends in. Torch's own knows no MPS.
at::Tensor sparse_compressed_tensor(const at::Tensor& compressed_indices,
                                    const at::Tensor& plain_indices, const at::Tensor& values,
                                    at::IntArrayRef size, std::optional<at::ScalarType> dtype,
                                    std::optional<at::Layout> layout,
                                    std::optional<at::Device> /*device*/,
                                    std::optional<bool> /*pin_memory*/) {
  TORCH_CHECK(
      layout.has_value(),
      "sparse_compressed_tensor_unsafe expected sparse compressed tensor layout but got none");
  TORCH_CHECK(!dtype || *dtype == values.scalar_type(), "dtype of values (", values.scalar_type(),
              ") must match dtype of sparse tensor (", *dtype, ")");
  return make_compressed({compressed_indices, plain_indices, values}, size, *layout);
}

void register_compressed(c10::Dispatcher& dispatcher) {
  const c10::OperatorName name("aten::_sparse_compressed_tensor_unsafe", "");
  const auto op = dispatcher.findSchema(name);
  // Torch chooses the key by layout and device. With one for the parts' key, autograd comes here
  // too.
  for (const auto key : {DispatchKey::SparseCsrMPS, DispatchKey::MPS}) {
    if (op && !has(*op, key)) {
      state().registrations.push_back(dispatcher.registerImpl(
          name, key,
          c10::KernelFunction::makeFromUnboxedFunction(TORCH_FN(sparse_compressed_tensor)),
          std::nullopt, nullptr, "mpsops' CPU path"));
    }
  }
}

}  // namespace

void set_warning(void (*warn)(const std::string& text)) {
  warning = warn;
}

void enable() {
  auto& dispatcher = c10::Dispatcher::singleton();
  std::set<std::string> ours;
  for (const auto& op : all_ops()) {
    ours.insert(op->name());
  }
  const std::scoped_lock lock(state().mutex);
  for (const auto& name : dispatcher.getAllOpNames()) {
    const auto op = dispatcher.findSchema(name);
    const std::string text = c10::toString(name);
    // Distributed operators cannot run on another device: torch refuses them with its own words.
    if (!op || ours.contains(text) || name.name.starts_with("c10d::")) {
      continue;
    }
    for (const auto& [cpu, mps] :
         {std::pair(DispatchKey::CPU, DispatchKey::MPS),
          std::pair(DispatchKey::SparseCPU, DispatchKey::SparseMPS),
          std::pair(DispatchKey::SparseCsrCPU, DispatchKey::SparseCsrMPS)}) {
      const bool works = has(*op, mps) || (mps == DispatchKey::MPS && is_composite(*op));
      if (has(*op, cpu) && !works) {
        state().registrations.push_back(
            dispatcher.registerImpl(name, mps, c10::KernelFunction::makeFromBoxedFunction<&run>(),
                                    std::nullopt, nullptr, "mpsops' CPU path"));
        state().names.insert(text);
      }
    }
  }
  register_compressed(dispatcher);
}

void disable() {
  // Destroyed outside of the lock: the dispatcher has one of its own.
  std::vector<c10::RegistrationHandleRAII> registrations;
  const std::scoped_lock lock(state().mutex);
  registrations.swap(state().registrations);
  state().names.clear();
}

bool enabled() {
  const std::scoped_lock lock(state().mutex);
  return !state().registrations.empty();
}

std::vector<std::string> ops() {
  const std::scoped_lock lock(state().mutex);
  return {state().names.begin(), state().names.end()};
}

std::map<std::string, Calls> calls() {
  const std::scoped_lock lock(state().mutex);
  std::map<std::string, Calls> result;
  for (const auto& [name, calls] : state().calls) {
    result.emplace(c10::toString(name), calls);
  }
  return result;
}

void reset_calls() {
  const std::scoped_lock lock(state().mutex);
  state().calls.clear();
}

}  // namespace mpsops::cpu_path
