// Device guard: one device, one stream. Work is done when the call returns, so events only keep
// time.
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include "csrc/sim/device/event.h"
#include "csrc/sim/device/install.h"
#include "csrc/sim/device/memory.h"

namespace mpsops::sim {

namespace {

const c10::Device kDevice(c10::kMPS, 0);

c10::Stream default_stream() {
  return c10::Stream(c10::Stream::DEFAULT, kDevice);
}

uint32_t event_id(void* event) {
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(event));
}

struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return c10::kMPS; }
  c10::Device exchangeDevice(c10::Device /*device*/) const override { return kDevice; }
  c10::Device getDevice() const override { return kDevice; }
  void setDevice(c10::Device device) const override {
    TORCH_CHECK(device.is_mps(), "Expected a MPS device, but got ", device);
  }
  void uncheckedSetDevice(c10::Device /*device*/) const noexcept override {}
  c10::Stream getStream(c10::Device /*device*/) const override { return default_stream(); }
  c10::Stream getDefaultStream(c10::Device /*device*/) const override { return default_stream(); }
  c10::Stream getNewStream(c10::Device /*device*/, int /*priority*/) const override {
    return default_stream();
  }
  c10::Stream exchangeStream(c10::Stream /*stream*/) const override { return default_stream(); }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }

  // As torch's own guard: everything except float64 and complex128.
  c10::DeviceCapability getDeviceCapability(c10::Device /*device*/) const override {
    c10::DeviceCapability capability;
    capability.capability_data.capability_bits =
        (1ULL << c10::kIndex_Byte) | (1ULL << c10::kIndex_Char) | (1ULL << c10::kIndex_Short) |
        (1ULL << c10::kIndex_Int) | (1ULL << c10::kIndex_Long) | (1ULL << c10::kIndex_Half) |
        (1ULL << c10::kIndex_Float) | (1ULL << c10::kIndex_ComplexHalf) |
        (1ULL << c10::kIndex_ComplexFloat) | (1ULL << c10::kIndex_Bool) |
        (1ULL << c10::kIndex_BFloat16) | (1ULL << c10::kIndex_UInt32) |
        (1ULL << c10::kIndex_UInt16) | (1ULL << c10::kIndex_UInt64);
    return capability;
  }

  // An event is created by its first record() and is its own id, in place of a pointer.
  void record(void** event, const c10::Stream& stream, c10::DeviceIndex device_index,
              c10::EventFlag flag) const override {
    TORCH_CHECK(device_index == -1 || device_index == stream.device_index(), "Event device index ",
                device_index, " does not match recording stream's device index ",
                stream.device_index(), ".");
    if (*event == nullptr) {
      const bool timing = flag == c10::EventFlag::BACKEND_DEFAULT;
      *event = reinterpret_cast<void*>(static_cast<uintptr_t>(acquire_event(timing)));
    }
    record_event(event_id(*event));
  }
  void block(void* /*event*/, const c10::Stream& /*stream*/) const override {}
  bool queryEvent(void* event) const override {
    return event == nullptr || query_event(event_id(event));
  }
  void destroyEvent(void* event, c10::DeviceIndex /*device_index*/) const noexcept override {
    if (event != nullptr) {
      release_event(event_id(event));
    }
  }
  void synchronizeEvent(void* /*event*/) const override { throw_memory_errors(); }
  double elapsedTime(void* start, void* end, c10::DeviceIndex /*device_index*/) const override {
    return elapsed_milliseconds(event_id(start), event_id(end));
  }
  void synchronizeDevice(c10::DeviceIndex /*device_index*/) const override {
    throw_memory_errors();
  }
  bool queryStream(const c10::Stream& /*stream*/) const override { return true; }
  void synchronizeStream(const c10::Stream& /*stream*/) const override { throw_memory_errors(); }
};

}  // namespace

void install_guard() {
  static const Guard guard;
  c10::impl::device_guard_impl_registry[static_cast<size_t>(c10::kMPS)].store(&guard);
}

}  // namespace mpsops::sim
