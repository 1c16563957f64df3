// CPU tensors over the memory of device tensors, for the length of one call.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/SmallVector.h>

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
  c10::Storage to_device(const c10::Storage& storage);
  at::Tensor wrap(const at::Tensor& like, c10::Storage storage, c10::DispatchKey key);

  c10::SmallVector<std::pair<at::Tensor, at::Tensor>, 8> tensors_;       // device, CPU
  c10::SmallVector<std::pair<c10::Storage, c10::Storage>, 8> storages_;  // device, CPU
};

}  // namespace mpsops::sim
