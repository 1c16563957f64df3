// CPU tensors over the memory of device tensors, for the length of one call.
#pragma once

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/Tensor.h>
#include <c10/util/SmallVector.h>

#include <optional>
#include <tuple>
#include <utility>

namespace mpsops::sim {

class Aliases {
 public:
  // The same device tensor gives the same alias, and tensors that share a storage give aliases
  // that share one. Tensors of other devices come back unchanged.
  at::Tensor to_cpu(const at::Tensor& tensor);

  // The other way, for results: an alias is its original, a view of aliased memory is a view of the
  // device's, anything else is copied to the device.
  at::Tensor to_device(const at::Tensor& tensor);

  // After the call: what it did to sizes and storage of the aliases is done to the originals.
  void write_back();

 private:
  at::Tensor sparse_to_cpu(const at::Tensor& tensor);
  at::Tensor sparse_to_device(const at::Tensor& tensor);
  c10::Storage to_device(const c10::Storage& storage);
  at::Tensor wrap(const at::Tensor& like, c10::Storage storage, c10::DispatchKey key);

  c10::SmallVector<std::pair<at::Tensor, at::Tensor>, 8> tensors_;       // device, CPU
  c10::SmallVector<std::pair<c10::Storage, c10::Storage>, 8> storages_;  // device, CPU
};

// For kernels written by hand: cpu(argument) on the way in, cpu.result(value) on the way out.
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
