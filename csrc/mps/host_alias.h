// CPU tensors over the memory of MPS tensors, for the length of one call. GPU and CPU share one
// memory on Apple silicon, and torch >= 2.13 allocates every MPS tensor where both can reach it.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>
#include <c10/util/SmallVector.h>

#include <utility>

#include "csrc/mps/sparse_compressed.h"

namespace mpsops {

class Aliases {
 public:
  // The same device tensor gives the same alias, and tensors that share a storage give aliases
  // that share one. Tensors of other devices come back unchanged. Whoever calls has waited for the
  // device, and knows that the host can reach the memory (host_pointer()).
  at::Tensor to_cpu(const at::Tensor& tensor);
  // Also the tensors in lists, and a device.
  c10::IValue to_cpu(const c10::IValue& value);

  // The other way, for results: an alias is its original, a view of aliased memory is a view of the
  // device's. Memory of host_allocator() stays where it is, any other is copied.
  at::Tensor to_device(const at::Tensor& tensor);
  c10::IValue to_device(const c10::IValue& value);

  // After the call: what it did to sizes and storage of the aliases is done to the originals.
  void write_back();

  uint64_t bytes_copied() const { return bytes_copied_; }

 private:
  const at::Tensor& remember(const at::Tensor& device, at::Tensor cpu);
  at::Tensor sparse_to_cpu(const at::Tensor& tensor);
  at::Tensor sparse_to_device(const at::Tensor& tensor);
  at::Tensor compressed_to_cpu(const at::Tensor& tensor);
  CompressedParts to_device(const CompressedParts& parts);
  c10::Storage to_device(const c10::Storage& storage);
  at::Tensor wrap(const at::Tensor& like, c10::Storage storage, c10::DispatchKey key);

  c10::SmallVector<std::pair<at::Tensor, at::Tensor>, 8> tensors_;       // device, CPU
  c10::SmallVector<std::pair<c10::Storage, c10::Storage>, 8> storages_;  // device, CPU
  c10::SmallVector<at::Tensor, 2> cpu_tensors_;  // arguments that were there
  uint64_t bytes_copied_ = 0;
};

}  // namespace mpsops
