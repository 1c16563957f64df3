// Tensors without data movement: creation, views, resizing, storage swaps.
#include <ATen/EmptyTensor.h>
#include <ATen/native/Resize.h>
#include <ATen/native/TensorFactories.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/set_native.h>
#include <ATen/ops/view_native.h>

#include <cstring>

#include "csrc/core/checks.h"
#include "csrc/sim/device/allocator.h"
#include "csrc/sim/device/install.h"
#include "csrc/sim/device/memory.h"

namespace mpsops::sim {

namespace {

constexpr c10::DispatchKeySet kKeys(c10::DispatchKey::MPS);

void check_device(std::optional<at::Device> device) {
  TORCH_CHECK(!device || device->index() <= 0, "Invalid MPS device index ",
              device ? static_cast<int>(device->index()) : 0, ": there is one MPS device");
}

at::Tensor filled_if_deterministic(const at::TensorBase& base) {
  at::Tensor tensor(base);
  if (at::globalContext().deterministicAlgorithms() &&
      at::globalContext().deterministicFillUninitializedMemory()) {
    at::native::fill_empty_deterministic_(tensor);
  }
  return tensor;
}

at::Tensor empty(at::IntArrayRef size, std::optional<at::ScalarType> dtype,
                 std::optional<at::Layout> layout, std::optional<at::Device> device,
                 std::optional<bool> pin_memory, std::optional<at::MemoryFormat> memory_format) {
  TORCH_CHECK_NOT_IMPLEMENTED(c10::layout_or_default(layout) == at::kStrided,
                              "only strided tensors are supported on MPS");
  TORCH_CHECK(!pin_memory.value_or(false), "Only dense CPU tensors can be pinned");
  TORCH_CHECK(size.size() <= 16, "MPS supports tensors with dimensions <= 16, but got ",
              size.size(), ".");
  check_device(device);
  const auto type = c10::dtype_or_default(dtype);
  check_representable(type);
  return filled_if_deterministic(
      at::detail::empty_generic(size, &allocator(), kKeys, type, memory_format));
}

at::Tensor empty_strided(at::IntArrayRef size, at::IntArrayRef stride,
                         std::optional<at::ScalarType> dtype, std::optional<at::Layout> /*layout*/,
                         std::optional<at::Device> device, std::optional<bool> pin_memory) {
  TORCH_CHECK(!pin_memory.value_or(false), "Only dense CPU tensors can be pinned");
  check_device(device);
  const auto type = c10::dtype_or_default(dtype);
  check_representable(type);
  return filled_if_deterministic(
      at::detail::empty_strided_generic(size, stride, &allocator(), kKeys, type));
}

at::Tensor efficient_zero_tensor(at::IntArrayRef size, std::optional<at::ScalarType> dtype,
                                 std::optional<at::Layout> /*layout*/,
                                 std::optional<at::Device> device,
                                 std::optional<bool> /*pin_memory*/) {
  check_device(device);
  const auto type = c10::dtype_or_default(dtype);
  check_representable(type);
  static auto* zeros = new at::native::ZeroTensorAllocator(at::Device(at::kMPS, 0));
  const auto keys = kKeys | c10::DispatchKeySet(c10::DispatchKey::ZeroTensor);
  return at::detail::empty_generic(size, zeros, keys, type, std::nullopt);
}

void resize_storage(c10::StorageImpl* storage, size_t bytes) {
  TORCH_CHECK(storage->resizable(), "Trying to resize storage that is not resizable");
  auto data = allocator().allocate(bytes);
  const size_t kept = std::min(bytes, storage->nbytes());
  if (kept > 0) {
    std::memcpy(host_address(data.get()), host_address(storage->data()), kept);
  }
  storage->set_data_ptr_noswap(std::move(data));
  storage->set_nbytes(bytes);
}

// The storage grows when sizes and strides ask for it, and never shrinks.
void grow_storage(const at::Tensor& self) {
  const size_t needed = self.numel() == 0 ? 0
                                          : at::detail::computeStorageNbytes(
                                                self.sizes(), self.strides(), self.itemsize(),
                                                static_cast<size_t>(self.storage_offset()));
  auto* storage = self.storage().unsafeGetStorageImpl();
  if (needed > storage->nbytes()) {
    resize_storage(storage, needed);
  }
}

const at::Tensor& resize_(const at::Tensor& self, at::IntArrayRef size,
                          std::optional<at::MemoryFormat> memory_format) {
  auto* impl = self.unsafeGetTensorImpl();
  const size_t old_bytes = self.storage().nbytes();
  if (!self.sizes().equals(size)) {
    impl->set_sizes_contiguous(size);
    grow_storage(self);
  }
  if (memory_format) {
    TORCH_CHECK(*memory_format != at::MemoryFormat::Preserve, "Unsupported memory format",
                *memory_format);
    impl->empty_tensor_restride(*memory_format);
  }
  if (at::globalContext().deterministicAlgorithms() &&
      at::globalContext().deterministicFillUninitializedMemory()) {
    at::native::fill_resize_deterministic_(self, static_cast<int64_t>(old_bytes));
  }
  return self;
}

at::Tensor& set_storage_offset_(at::Tensor& self, at::Storage source, int64_t offset,
                                at::IntArrayRef size, at::IntArrayRef stride) {
  at::native::checkSetStorage(self, std::move(source), offset, size, stride);
  auto* impl = self.unsafeGetTensorImpl();
  impl->set_storage_offset(offset);
  if (stride.data() != nullptr) {
    impl->set_sizes_and_strides(size, stride);
  } else {
    impl->set_sizes_contiguous(size);
  }
  grow_storage(self);
  return self;
}

at::Tensor& set_empty_(at::Tensor& self) {
  const at::Storage storage(at::Storage::use_byte_size_t(), 0, &allocator(), true);
  return set_storage_offset_(self, storage, 0, {0}, {});
}

}  // namespace

void register_factories(torch::Library& aten) {
  aten.impl("empty.memory_format", TORCH_FN(empty));
  aten.impl("empty_strided", TORCH_FN(empty_strided));
  aten.impl("_efficientzerotensor", TORCH_FN(efficient_zero_tensor));
  aten.impl("as_strided", TORCH_FN(at::native::as_strided_tensorimpl));
  aten.impl("view", TORCH_FN(at::native::view));
  aten.impl("_reshape_alias", TORCH_FN(at::native::_reshape_alias));
  aten.impl("resize_", TORCH_FN(resize_));
  aten.impl("set_", TORCH_FN(set_empty_));
  aten.impl("set_.source_Storage",
            TORCH_FN(static_cast<at::Tensor& (*)(at::Tensor&, at::Storage)>(at::native::set_)));
  aten.impl("set_.source_Tensor", TORCH_FN(at::native::set_tensor_));
  aten.impl("set_.source_Storage_storage_offset", TORCH_FN(set_storage_offset_));
}

}  // namespace mpsops::sim
