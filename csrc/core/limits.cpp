#include "csrc/core/limits.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/stack.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

namespace mpsops {

namespace {

// What limits are about, of the arguments of a call.
struct Extent {
  std::optional<at::ScalarType> dtype;
  int64_t elements = 0;

  void add(const c10::IValue& argument) {
    if (argument.isTensor() && argument.toTensor().defined()) {
      const at::Tensor& tensor = argument.toTensor();
      dtype = dtype.value_or(tensor.scalar_type());
      elements = std::max(elements, tensor.numel());
    } else if (argument.isList()) {
      for (const c10::IValue& element : argument.toListRef()) {
        add(element);
      }
    }
  }
};

class Limited final : public c10::OperatorKernel {
 public:
  Limited(Limits limits, c10::SafeKernelFunction ours, c10::SafeKernelFunction torchs,
          bool takes_refused)
      : limits_(std::move(limits)),
        ours_(std::move(ours)),
        torchs_(std::move(torchs)),
        takes_refused_(takes_refused) {}

  void operator()(const c10::OperatorHandle& op, c10::DispatchKeySet keys,
                  torch::jit::Stack* stack) const {
    const size_t below = stack->size() - op.schema().arguments().size();
    if (is_ours(*stack, below)) {
      ours_.callBoxed(op, keys, stack);
    } else if (!takes_refused_) {
      torchs_.callBoxed(op, keys, stack);
    } else {
      const torch::jit::Stack arguments(stack->begin() + below, stack->end());
      if (!torch_does(op, keys, stack)) {
        stack->resize(below);
        stack->insert(stack->end(), arguments.begin(), arguments.end());
        ours_.callBoxed(op, keys, stack);
      }
    }
  }

 private:
  bool is_ours(const torch::jit::Stack& stack, size_t below) const {
    Extent extent;
    std::for_each(stack.begin() + below, stack.end(),
                  [&](const c10::IValue& argument) { extent.add(argument); });
    return std::any_of(limits_.begin(), limits_.end(), [&](const Limit& limit) {
      return extent.dtype == limit.dtype && limit.fewest <= extent.elements &&
             extent.elements <= limit.most;
    });
  }

  bool torch_does(const c10::OperatorHandle& op, c10::DispatchKeySet keys,
                  torch::jit::Stack* stack) const {
    try {
      torchs_.callBoxed(op, keys, stack);
      return true;
    } catch (const c10::OutOfMemoryError&) {
      throw;
    } catch (const c10::Error&) {
      return false;  // If the arguments are to blame, ours says so.
    }
  }

  Limits limits_;
  c10::SafeKernelFunction ours_;
  c10::SafeKernelFunction torchs_;
  bool takes_refused_;
};

}  // namespace

torch::CppFunction limited_kernel(Limits limits, c10::SafeKernelFunction ours,
                                  c10::SafeKernelFunction torchs, bool takes_refused) {
  return torch::CppFunction::makeFromBoxedFunctor(std::make_unique<Limited>(
      std::move(limits), std::move(ours), std::move(torchs), takes_refused));
}

}  // namespace mpsops
