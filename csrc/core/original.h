// Torch's own kernel of an op that ours replaces, for a partial op that takes over some inputs
// only:
//
//   Tensor linear(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias) {
//     if (!is_integral(input)) {
//       return pass_on<linear>(input, weight, bias);
//     }
//     ...
//
//   family.partial<linear>("aten::linear").passes_on().because("torch raises for integers");
#pragma once

#include <ATen/core/boxing/impl/boxing.h>

#include <utility>

#include "csrc/core/registry.h"

namespace mpsops {

namespace detail {

// Boxed, because that is what c10 offers: SafeKernelFunction survives that a kernel is put on top.
template <auto Function, class Signature>
struct Original;

template <auto Function, class R, class... Args>
struct Original<Function, R (*)(Args...)> {
  static Op& op() { return *Counted<Function, R (*)(Args...)>::op; }
  static R call(Args... args) {
    const c10::SafeKernelFunction& kernel = op().original();
    auto stack = c10::impl::boxArgs<Args...>(std::forward<Args>(args)...);
    kernel.callBoxed(kernel.opHandle(), c10::DispatchKeySet(dispatch_key()), &stack);
    return c10::impl::PopResult<R>::call(stack);
  }
};

}  // namespace detail

// Calls what torch has below `Function`, ours as it is registered, as part of what ours does.
template <auto Function, class... Args>
auto original(Args&&... args) {
  return detail::Original<Function, decltype(Function)>::call(std::forward<Args>(args)...);
}

// Leaves the whole call to it: counts and traces show torch's kernel, not ours.
template <auto Function, class... Args>
auto pass_on(Args&&... args) {
  using Original = detail::Original<Function, decltype(Function)>;
  const PassingOn passing_on(Original::op());
  return Original::call(std::forward<Args>(args)...);
}

}  // namespace mpsops
