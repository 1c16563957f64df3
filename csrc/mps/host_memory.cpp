#include "csrc/mps/host_memory.h"

#include <ATen/mps/MPSAllocatorInterface.h>
#include <c10/core/CPUAllocator.h>

#include <cstring>

namespace mpsops {

namespace {

const c10::Device kCpu(c10::kCPU);

void release(void* device_storage) {
  delete static_cast<c10::Storage*>(device_storage);
}

class HostAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) {
      return {nullptr, kCpu};
    }
    auto owner = std::make_unique<c10::Storage>(allocate_device_storage(bytes));
    void* host = host_pointer(*owner);
    return {host, owner.release(), &release, kCpu};
  }
  void copy_data(void* destination, const void* source, size_t count) const override {
    std::memcpy(destination, source, count);
  }
};

thread_local bool redirected = false;

// In front of torch's CPU allocator, to which it leaves everything but what a guard redirects.
class RedirectingAllocator final : public c10::Allocator {
 public:
  explicit RedirectingAllocator(c10::Allocator* usual) : usual_(usual) {}

  c10::DataPtr allocate(size_t bytes) override {
    return redirected ? host_allocator().allocate(bytes) : usual_->allocate(bytes);
  }
  c10::DeleterFnPtr raw_deleter() const override { return usual_->raw_deleter(); }
  bool is_simple_data_ptr(const c10::DataPtr& data) const override {
    return usual_->is_simple_data_ptr(data);
  }
  void copy_data(void* destination, const void* source, size_t count) const override {
    std::memcpy(destination, source, count);
  }

 private:
  c10::Allocator* usual_;
};

void install_redirection() {
  // Never taken away again: tensors keep a pointer to the allocator that they resize with.
  static const bool installed = [] {
    c10::SetCPUAllocator(new RedirectingAllocator(c10::GetCPUAllocator()));
    return true;
  }();
  static_cast<void>(installed);
}

}  // namespace

bool is_shared(const c10::Storage& storage) {
  return storage.data() == nullptr || at::mps::getIMPSAllocator()->isSharedBuffer(storage.data());
}

void* host_pointer(const c10::Storage& storage) {
  if (storage.data() == nullptr) {
    return nullptr;
  }
  // The alias keeps `storage` alive; so does the caller.
  return at::mps::getIMPSAllocator()->getHostAliasStorage(storage).mutable_data();
}

c10::Storage allocate_device_storage(size_t bytes) {
  auto* allocator = at::mps::getIMPSAllocator();
  return c10::make_intrusive<c10::StorageImpl>(c10::StorageImpl::use_byte_size_t(), bytes,
                                               allocator->allocate(bytes), allocator,
                                               /*resizable=*/true);
}

c10::Allocator& host_allocator() {
  static auto* instance = new HostAllocator();
  return *instance;
}

c10::Storage device_storage_of(const c10::DataPtr& data) {
  return data.get_deleter() == &release ? *static_cast<c10::Storage*>(data.get_context())
                                        : c10::Storage();
}

HostMemoryGuard::HostMemoryGuard() : outer_(redirected) {
  install_redirection();
  redirected = true;
}

HostMemoryGuard::~HostMemoryGuard() {
  redirected = outer_;
}

}  // namespace mpsops
