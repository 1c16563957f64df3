#include "csrc/mps/host_alias.h"

#include <ATen/SparseTensorImpl.h>
#include <ATen/core/List.h>
#include <ATen/ops/_sparse_coo_tensor_unsafe.h>

#include <cstring>

#include "csrc/core/checks.h"
#include "csrc/mps/host_memory.h"
#include "csrc/mps/sparse_compressed.h"

namespace mpsops {

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
    if (tensor.defined() && tensor.is_cpu()) {
      cpu_tensors_.push_back(tensor);
    }
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
  if (is_compressed(tensor)) {
    return compressed_to_cpu(tensor);
  }
  c10::Storage storage;
  for (const auto& [device, cpu] : storages_) {
    if (device.is_alias_of(tensor.storage())) {
      storage = cpu;
    }
  }
  if (!storage) {
    // Borrowed: the tensor, which owns it, outlives the call.
    c10::DataPtr host(host_pointer(tensor.storage()), c10::Device(c10::kCPU));
    storage = c10::make_intrusive<c10::StorageImpl>(c10::StorageImpl::use_byte_size_t(),
                                                    tensor.storage().nbytes(), std::move(host),
                                                    &host_allocator(), /*resizable=*/true);
    storages_.emplace_back(tensor.storage(), storage);
  }
  return remember(tensor, wrap(tensor, std::move(storage), c10::DispatchKey::CPU));
}

const at::Tensor& Aliases::remember(const at::Tensor& device, at::Tensor cpu) {
  // Some kernels compute more if there will be a backward pass. Below autograd nothing is recorded.
  if (device.requires_grad()) {
    cpu.set_requires_grad(true);
  }
  return tensors_.emplace_back(device, std::move(cpu)).second;
}

c10::Storage Aliases::to_device(const c10::Storage& storage) {
  for (const auto& [device, cpu] : storages_) {
    if (cpu.is_alias_of(storage)) {
      return device;
    }
  }
  c10::Storage device = device_storage_of(storage.data_ptr());
  if (device) {
    device.set_nbytes(storage.nbytes());  // less, if the kernel shrank it
  } else {
    device = allocate_device_storage(storage.nbytes());
    if (storage.nbytes() > 0) {
      std::memcpy(host_pointer(device), storage.data(), storage.nbytes());
      bytes_copied_ += storage.nbytes();
    }
  }
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
  for (const auto& argument : cpu_tensors_) {
    if (argument.is_same(tensor)) {
      return tensor;
    }
  }
  check_representable(tensor.scalar_type());
  if (tensor.is_sparse()) {
    return sparse_to_device(tensor);
  }
  if (is_compressed(tensor)) {
    return make_compressed(to_device(parts_of(tensor)), tensor.sizes(), tensor.layout());
  }
  TORCH_CHECK_NOT_IMPLEMENTED(tensor.layout() == at::kStrided && !tensor.is_quantized(),
                              "only strided and sparse tensors can be on MPS, got a ",
                              tensor.is_quantized() ? "quantized" : c10::str(tensor.layout()),
                              " tensor");
  return wrap(tensor, to_device(tensor.storage()), c10::DispatchKey::MPS);
}

at::Tensor Aliases::sparse_to_cpu(const at::Tensor& tensor) {
  auto cpu = at::_sparse_coo_tensor_unsafe(to_cpu(tensor._indices()), to_cpu(tensor._values()),
                                           tensor.sizes(), std::nullopt, std::nullopt, std::nullopt,
                                           std::nullopt, tensor.is_coalesced());
  return remember(tensor, std::move(cpu));
}

at::Tensor Aliases::sparse_to_device(const at::Tensor& tensor) {
  return at::_sparse_coo_tensor_unsafe(to_device(tensor._indices()), to_device(tensor._values()),
                                       tensor.sizes(), std::nullopt, std::nullopt, std::nullopt,
                                       std::nullopt, tensor.is_coalesced());
}

at::Tensor Aliases::compressed_to_cpu(const at::Tensor& tensor) {
  const auto parts = parts_of(tensor);
  auto cpu = make_compressed(
      {to_cpu(parts.compressed_indices), to_cpu(parts.plain_indices), to_cpu(parts.values)},
      tensor.sizes(), tensor.layout());
  return remember(tensor, std::move(cpu));
}

CompressedParts Aliases::to_device(const CompressedParts& parts) {
  return {to_device(parts.compressed_indices), to_device(parts.plain_indices),
          to_device(parts.values)};
}

void Aliases::write_back() {
  for (auto& [device, cpu] : storages_) {
    auto* from = cpu.unsafeGetStorageImpl();
    auto* to = device.unsafeGetStorageImpl();
    if (c10::Storage resized = device_storage_of(from->data_ptr());
        resized && !resized.is_alias_of(device)) {
      // The block that the CPU kernel got from host_allocator() is the storage now.
      to->set_data_ptr_noswap(std::move(resized.mutable_data_ptr()));
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
    if (is_compressed(device)) {
      replace_parts(device, to_device(parts_of(cpu)), cpu.sizes());
      continue;
    }
    auto* impl = device.unsafeGetTensorImpl();
    if (device.sizes() != cpu.sizes() || device.strides() != cpu.strides() ||
        device.storage_offset() != cpu.storage_offset()) {
      impl->set_sizes_and_strides(cpu.sizes(), cpu.strides(), cpu.storage_offset());
    }
  }
}

c10::IValue Aliases::to_cpu(const c10::IValue& value) {
  if (value.isTensor()) {
    return to_cpu(value.toTensor());
  }
  if (value.isTensorList()) {
    c10::List<at::Tensor> result;
    for (const at::Tensor& tensor : value.toTensorList()) {
      result.push_back(to_cpu(tensor));
    }
    return result;
  }
  if (value.isList()) {
    const auto list = value.toList();
    if (list.elementType()->kind() != c10::TypeKind::OptionalType) {
      return value;
    }
    c10::impl::GenericList result(list.elementType());
    for (const c10::IValue& element : value.toListRef()) {
      result.push_back(to_cpu(element));
    }
    return result;
  }
  if (value.isDevice() && value.toDevice().is_mps()) {
    return c10::Device(c10::kCPU);
  }
  return value;
}

c10::IValue Aliases::to_device(const c10::IValue& value) {
  if (value.isTensor()) {
    return to_device(value.toTensor());
  }
  if (value.isTensorList()) {
    c10::List<at::Tensor> result;
    for (const at::Tensor& tensor : value.toTensorList()) {
      result.push_back(to_device(tensor));
    }
    return result;
  }
  return value;
}

}  // namespace mpsops
