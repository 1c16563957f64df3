// Host memory for copies, which torch.accelerator asks a device for: the CPU's own, without a
// cache.
#include <ATen/core/CachingHostAllocator.h>
#include <c10/core/CPUAllocator.h>

#include "csrc/sim/device/install.h"

namespace mpsops::sim {

namespace {

struct HostAllocator final : at::HostAllocator {
  c10::DataPtr allocate(size_t size) override { return c10::GetCPUAllocator()->allocate(size); }
  void copy_data(void* to, const void* from, size_t size) const override {
    default_copy_data(to, from, size);
  }
  c10::DeleterFnPtr raw_deleter() const override { return c10::GetCPUAllocator()->raw_deleter(); }
  // Copies are done when they return: nothing is in use by a stream.
  bool record_event(void* /*pointer*/, void* /*context*/, c10::Stream /*stream*/) override {
    return true;
  }
  void empty_cache() override {}
  at::HostStats get_stats() override { return {}; }
  void reset_accumulated_stats() override {}
  void reset_peak_stats() override {}
};

}  // namespace

void install_host_allocator() {
  static HostAllocator allocator;
  at::setHostAllocator(at::kMPS, &allocator);
}

}  // namespace mpsops::sim
