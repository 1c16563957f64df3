// MPS memory by its host address: what a CPU kernel writes into becomes an MPS storage without a
// copy.
#pragma once

#include <c10/core/Allocator.h>
#include <c10/core/Storage.h>

namespace mpsops {

// Whether the host can read and write it where it is. So it is with all that torch allocates.
bool is_shared(const c10::Storage& storage);

// Of memory that is shared; nullptr for none. `storage` must outlive the pointer's use.
void* host_pointer(const c10::Storage& storage);

c10::Storage allocate_device_storage(size_t bytes);

// CPU memory that is MPS memory. What a kernel resizes an alias into, too.
c10::Allocator& host_allocator();

// The MPS storage whose host address `data` is, if host_allocator() made it; else an empty one.
c10::Storage device_storage_of(const c10::DataPtr& data);

// While it lives, what CPU kernels allocate on this thread comes from host_allocator().
class HostMemoryGuard {
 public:
  HostMemoryGuard();
  ~HostMemoryGuard();
  HostMemoryGuard(const HostMemoryGuard&) = delete;
  HostMemoryGuard& operator=(const HostMemoryGuard&) = delete;

 private:
  bool outer_;
};

}  // namespace mpsops
