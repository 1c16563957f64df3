// For kernels written by hand: cpu(argument) on the way in, cpu.result(value) on the way out.
#pragma once

#include <ATen/core/LegacyTypeDispatch.h>

#include <optional>
#include <tuple>

#include "csrc/mps/host_alias.h"

namespace mpsops::sim {

class ComposedCall {
 public:
  at::Tensor operator()(const at::Tensor& tensor) { return aliases_.to_cpu(tensor); }
  std::optional<at::Tensor> operator()(const std::optional<at::Tensor>& tensor) {
    return tensor && tensor->defined() ? std::optional(aliases_.to_cpu(*tensor)) : std::nullopt;
  }
  at::Tensor result(const at::Tensor& tensor) { return aliases_.to_device(tensor); }
  template <class... Tensors>
  std::tuple<Tensors...> result(const std::tuple<Tensors...>& tensors) {
    return std::apply([this](const auto&... each) { return std::tuple(result(each)...); }, tensors);
  }

 private:
  at::AutoDispatchBelowADInplaceOrView below_;
  Aliases aliases_;
};

}  // namespace mpsops::sim
