// What torch asks an MPS build for, and what torch.mps.* in Python ends in.
#include <ATen/detail/MPSHooksInterface.h>
#include <ATen/mps/MPSGeneratorImpl.h>
#include <c10/core/CPUAllocator.h>

#include <stdexcept>

#include "csrc/sim/device/allocator.h"
#include "csrc/sim/device/event.h"
#include "csrc/sim/device/install.h"
#include "csrc/sim/device/memory.h"
#include "csrc/sim/device/signposts.h"

namespace at {

namespace {

namespace sim = mpsops::sim;

// torch creates the hooks by this name.
struct MPSHooks final : MPSHooksInterface {
  void init() const override {}
  bool hasMPS() const override { return true; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(DeviceIndex /*device*/) const override { return true; }
  // The newest macOS that torch asks about, so that it takes no path for older ones.
  bool isOnMacOSorNewer(unsigned /*major*/, unsigned /*minor*/) const override { return true; }

  DeviceIndex deviceCount() const override { return 1; }
  DeviceIndex getCurrentDevice() const override { return 0; }
  void setCurrentDevice(DeviceIndex device) const override {
    TORCH_CHECK(device == 0, "mps:", static_cast<int>(device),
                " does not exist: there is one MPS device");
  }
  DeviceIndex exchangeDevice(DeviceIndex /*device*/) const override { return 0; }
  DeviceIndex maybeExchangeDevice(DeviceIndex /*device*/) const override { return 0; }

  const Generator& getDefaultGenerator(DeviceIndex /*device*/) const override {
    return mps::detail::getDefaultMPSGenerator();
  }
  Generator getNewGenerator(DeviceIndex /*device*/) const override {
    return make_generator<MPSGeneratorImpl>();
  }
  Device getDeviceFromPtr(void* /*data*/) const override { return Device(kMPS, 0); }

  Allocator* getMPSDeviceAllocator() const override { return &sim::allocator(); }
  void emptyCache() const override { sim::release_cached_memory(); }
  size_t getCurrentAllocatedMemory() const override {
    return sim::allocator().getCurrentAllocatedMemory();
  }
  size_t getDriverAllocatedMemory() const override {
    return sim::allocator().getDriverAllocatedMemory();
  }
  size_t getRecommendedMaxMemory() const override {
    return sim::allocator().getRecommendedMaxMemory();
  }
  size_t getMaxBufferLength() const override { return sim::allocator().getRecommendedMaxMemory(); }
  void setMemoryFraction(double ratio) const override {
    sim::allocator().setHighWatermarkRatio(ratio);
  }
  bool isPinnedPtr(const void* data) const override { return mps::isMPSPinnedPtr(data); }
  Allocator* getPinnedMemoryAllocator() const override { return c10::GetCPUAllocator(); }

  void deviceSynchronize() const override { sim::throw_device_errors(); }
  void commitStream() const override {}
  void* getCommandBuffer() const override {
    TORCH_CHECK(false, "mpsops.simulator: there is no Metal command buffer");
  }
  void* getDispatchQueue() const override {
    TORCH_CHECK(false, "mpsops.simulator: there is no Metal dispatch queue");
  }
  void profilerStartTrace(const std::string& mode, bool /*wait*/) const override {
    sim::start_signposts(mode);
  }
  void profilerStopTrace() const override { sim::stop_signposts(); }

  uint32_t acquireEvent(bool enable_timing) const override {
    return sim::acquire_event(enable_timing);
  }
  void releaseEvent(uint32_t event_id) const override { sim::release_event(event_id); }
  void recordEvent(uint32_t event_id) const override { sim::record_event(event_id); }
  void waitForEvent(uint32_t /*event_id*/) const override {}
  void synchronizeEvent(uint32_t /*event_id*/) const override { sim::throw_device_errors(); }
  bool queryEvent(uint32_t event_id) const override { return sim::query_event(event_id); }
  double elapsedTimeOfEvents(uint32_t start, uint32_t end) const override {
    return sim::elapsed_milliseconds(start, end);
  }
};

}  // namespace

}  // namespace at

namespace mpsops::sim {

void install_hooks() {
  at::MPSHooksRegistry()->Register(
      "MPSHooks", [] { return std::unique_ptr<at::MPSHooksInterface>(new at::MPSHooks()); });
  // torch keeps what it found at the first question.
  if (!at::detail::getMPSHooks().hasMPS()) {
    throw std::runtime_error(
        "mpsops.simulator.install() must run before anything asks torch about the mps device "
        "(torch.backends.mps.is_available(), torch.mps.*, torch.testing): call it right after "
        "`import torch`, or set MPSOPS_SIMULATOR=1 and import mpsops first");
  }
}

}  // namespace mpsops::sim
