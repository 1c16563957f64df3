#include "csrc/sim/device/alias.h"

#include <ATen/SparseTensorImpl.h>
#include <ATen/ops/_sparse_coo_tensor_unsafe.h>

#include <cstring>

#include "csrc/sim/device/allocator.h"
#include "csrc/sim/device/limits.h"
#include "csrc/sim/device/memory.h"

namespace mpsops::sim {

namespace {

// Host addresses of device memory: what a CPU kernel gets when it resizes an alias.
class HostAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t size) override {
    auto data = allocator().allocate(size);
    if (data.get() == nullptr) {
      return {nullptr, c10::Device(c10::kCPU)};
    }
    void* device = data.release_context();
    return {host_address(device), device, allocator().raw_deleter(), c10::Device(c10::kCPU)};
  }
  void copy_data(void* destination, const void* source, size_t count) const override {
    std::memcpy(destination, source, count);
  }
};

HostAllocator& host_allocator() {
  static auto* instance = new HostAllocator();
  return *instance;
}

}  // namespace

at::Tensor Aliases::wrap(const at::Tensor& like, c10::Storage storage, c10::DispatchKey key) {
  auto tensor = at::detail::make_tensor<c10::TensorImpl>(std::move(storage),
                                                         c10::DispatchKeySet(key), like.dtype());
  auto* impl = tensor.unsafeGetTensorImpl();
  impl->set_sizes_and_strides(like.sizes(), like.strides(), like.storage_offset());
  if (like.is_conj()) {
    tensor._set_conj(true);
  }
  if (like.is_neg()) {
    tensor._set_neg(true);
  }
  if (like.unsafeGetTensorImpl()->is_wrapped_number()) {
    impl->set_wrapped_number(true);
  }
  return tensor;
}

at::Tensor Aliases::to_cpu(const at::Tensor& tensor) {
  if (!tensor.defined() || !tensor.is_mps()) {
    return tensor;
  }
  for (const auto& [device, cpu] : tensors_) {
    if (device.is_same(tensor)) {
      return cpu;
    }
  }
  if (tensor.is_sparse()) {
    return sparse_to_cpu(tensor);
  }
  c10::Storage storage;
  for (const auto& [device, cpu] : storages_) {
    if (device.is_alias_of(tensor.storage())) {
      storage = cpu;
    }
  }
  if (!storage) {
    const void* data = tensor.storage().data();
    void* host = data == nullptr ? nullptr : host_address(data);
    storage = c10::Storage(c10::make_intrusive<c10::StorageImpl>(
        c10::StorageImpl::use_byte_size_t(), tensor.storage().nbytes(),
        c10::DataPtr(host, c10::Device(c10::kCPU)), &host_allocator(), /*resizable=*/true));
    storages_.emplace_back(tensor.storage(), storage);
  }
  auto cpu = wrap(tensor, std::move(storage), c10::DispatchKey::CPU);
  tensors_.emplace_back(tensor, cpu);
  return cpu;
}

c10::Storage Aliases::to_device(const c10::Storage& storage) {
  for (const auto& [device, cpu] : storages_) {
    if (cpu.is_alias_of(storage)) {
      return device;
    }
  }
  auto data = allocator().allocate(storage.nbytes());
  if (data.get() != nullptr) {
    std::memcpy(host_address(data.get()), storage.data(), storage.nbytes());
  }
  c10::Storage device(c10::make_intrusive<c10::StorageImpl>(
      c10::StorageImpl::use_byte_size_t(), storage.nbytes(), std::move(data), &allocator(),
      /*resizable=*/true));
  storages_.emplace_back(device, storage);
  return device;
}

at::Tensor Aliases::to_device(const at::Tensor& tensor) {
  if (!tensor.defined() || !tensor.is_cpu()) {
    return tensor;
  }
  for (const auto& [device, cpu] : tensors_) {
    if (cpu.is_same(tensor)) {
      return device;
    }
  }
  check_representable(tensor.scalar_type());
  if (tensor.is_sparse()) {
    return sparse_to_device(tensor);
  }
  TORCH_CHECK_NOT_IMPLEMENTED(tensor.layout() == at::kStrided,
                              "only strided and sparse COO tensors are supported on MPS, got ",
                              tensor.layout());
  return wrap(tensor, to_device(tensor.storage()), c10::DispatchKey::MPS);
}

at::Tensor Aliases::sparse_to_cpu(const at::Tensor& tensor) {
  auto cpu = at::_sparse_coo_tensor_unsafe(to_cpu(tensor._indices()), to_cpu(tensor._values()),
                                           tensor.sizes(), std::nullopt, std::nullopt, std::nullopt,
                                           std::nullopt, tensor.is_coalesced());
  tensors_.emplace_back(tensor, cpu);
  return cpu;
}

at::Tensor Aliases::sparse_to_device(const at::Tensor& tensor) {
  return at::_sparse_coo_tensor_unsafe(to_device(tensor._indices()), to_device(tensor._values()),
                                       tensor.sizes(), std::nullopt, std::nullopt, std::nullopt,
                                       std::nullopt, tensor.is_coalesced());
}

void Aliases::write_back() {
  for (auto& [device, cpu] : storages_) {
    auto* from = cpu.unsafeGetStorageImpl();
    auto* to = device.unsafeGetStorageImpl();
    void* context = from->data_ptr().get_context();
    if (context != nullptr && is_device_pointer(context)) {
      // Resized: the block that the CPU kernel got from host_allocator() is the storage now.
      from->mutable_data_ptr().release_context();
      to->set_data_ptr_noswap(
          {context, context, allocator().raw_deleter(), c10::Device(c10::kMPS, 0)});
    }
    if (from->nbytes() != to->nbytes()) {
      to->set_nbytes(from->nbytes());
    }
  }
  // By index: sparse tensors add their parts to tensors_.
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const auto [device, cpu] = tensors_[i];
    if (device.is_sparse()) {
      auto* impl = static_cast<at::SparseTensorImpl*>(device.unsafeGetTensorImpl());
      impl->raw_resize_(cpu.sparse_dim(), cpu.dense_dim(), cpu.sizes());
      impl->set_indices_and_values_unsafe(to_device(cpu._indices()), to_device(cpu._values()));
      impl->set_coalesced(cpu.is_coalesced());
      continue;
    }
    auto* impl = device.unsafeGetTensorImpl();
    if (device.sizes() != cpu.sizes() || device.strides() != cpu.strides() ||
        device.storage_offset() != cpu.storage_offset()) {
      impl->set_sizes_and_strides(cpu.sizes(), cpu.strides(), cpu.storage_offset());
    }
  }
}

}  // namespace mpsops::sim
