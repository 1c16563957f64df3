#include "csrc/sim/device/allocator.h"

#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "csrc/sim/device/memory.h"

namespace mpsops::sim {

namespace {

using c10::CachingAllocator::Stat;
using c10::CachingAllocator::StatType;

// torch's defaults on a Mac (ATen/mps/MPSAllocator.h).
constexpr double kHighWatermarkRatio = 1.7;
constexpr double kLowWatermarkRatio = 1.4;
constexpr double kHighWatermarkUpperBound = 2.0;

void release(void* device_pointer) {
  free_memory(device_pointer);
}

double ratio_from_environment(const char* variable, double fallback) {
  const char* text = std::getenv(variable);
  return text == nullptr ? fallback : std::stod(text);
}

size_t scaled(size_t bytes, double ratio) {
  return ratio == 0.0 ? std::numeric_limits<size_t>::max()
                      : static_cast<size_t>(ratio * static_cast<double>(bytes));
}

std::atomic<bool> shared{true};

class SimulatedAllocator final : public at::mps::IMPSAllocator {
 public:
  SimulatedAllocator() {
    setHighWatermarkRatio(
        ratio_from_environment("PYTORCH_MPS_HIGH_WATERMARK_RATIO", kHighWatermarkRatio));
    setLowWatermarkRatio(ratio_from_environment(
        "PYTORCH_MPS_LOW_WATERMARK_RATIO", std::min(kLowWatermarkRatio, high_watermark_ratio_)));
  }

  c10::DataPtr allocate(size_t size) override {
    const c10::Device device(c10::kMPS, 0);
    if (size == 0) {
      return {nullptr, nullptr, &release, device};
    }
    TORCH_CHECK(size < getRecommendedMaxMemory() * 2, "Invalid buffer size: ", formatSize(size));
    void* pointer = allocate_memory(size);
    if (pointer == nullptr) {
      const auto statistics = memory_statistics();
      TORCH_CHECK_WITH(
          OutOfMemoryError, false, "MPS backend out of memory (MPS allocated: ",
          formatSize(statistics.allocated + statistics.cached), ", other allocations: 0 bytes",
          ", max allowed: ", formatSize(memory_limit()), "). Tried to allocate ", formatSize(size),
          " on shared pool. Use PYTORCH_MPS_HIGH_WATERMARK_RATIO=0.0 to disable upper limit for "
          "memory allocations (may cause system failure).");
    }
    return {pointer, pointer, &release, device};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* destination, const void* source, size_t count) const override {
    std::memcpy(host_address(destination), host_address(source), count);
  }

  bool initialized() override { return true; }
  void emptyCache(c10::MempoolId_t /*pool*/) override { release_cached_memory(); }
  void recordStream(const c10::DataPtr& /*pointer*/, c10::Stream /*stream*/) override {}
  void freeInactiveBuffers() const override {}

  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex /*device*/) override {
    const auto memory = memory_statistics();
    c10::CachingDeviceAllocator::DeviceStats statistics;
    const auto all = static_cast<size_t>(StatType::AGGREGATE);
    Stat bytes;
    bytes.current = static_cast<int64_t>(memory.allocated);
    bytes.peak = static_cast<int64_t>(memory.allocated_peak);
    bytes.allocated = static_cast<int64_t>(memory.allocated_total);
    bytes.freed = static_cast<int64_t>(memory.freed_total);
    statistics.allocated_bytes[all] = statistics.active_bytes[all] = bytes;
    Stat reserved = bytes;
    reserved.current = static_cast<int64_t>(memory.allocated + memory.cached);
    reserved.peak = static_cast<int64_t>(memory.reserved_peak);
    statistics.reserved_bytes[all] = reserved;
    return statistics;
  }

  void resetAccumulatedStats(c10::DeviceIndex /*device*/) override { reset_memory_totals(); }
  void resetPeakStats(c10::DeviceIndex /*device*/) override { reset_memory_peaks(); }

  std::pair<size_t, size_t> getMemoryInfo(c10::DeviceIndex /*device*/) override {
    const size_t total = getRecommendedMaxMemory();
    const size_t used = memory_statistics().allocated;
    return {total > used ? total - used : 0, total};
  }

  ssize_t getUnalignedBufferSize(const void* pointer) const override {
    return static_cast<ssize_t>(find_allocation(pointer).size);
  }
  // Buffer shapes and ids serve MPSGraph, which is not simulated.
  at::IntArrayRef getBufferShape(const void* /*pointer*/) const override { return {}; }
  void setBufferShape(const void* /*pointer*/, const at::IntArrayRef& /*shape*/) const override {}
  id_t getBufferId(const void* pointer) const override {
    const auto* base = static_cast<const std::byte*>(find_allocation(pointer).device);
    return static_cast<id_t>(reinterpret_cast<uintptr_t>(base) / 256);
  }
  bool isSharedBuffer(const void* pointer) const override {
    return shared && is_device_pointer(pointer);
  }

  c10::DataPtr allocScalarBufferWithValue(void* value, size_t size) const override {
    auto pointer = allocator().allocate(size);
    std::memcpy(host_address(pointer.get()), value, size);
    return pointer;
  }

  std::string formatSize(size_t size) const override {
    constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB"};
    if (size <= 1024) {
      return c10::str(size, " bytes");
    }
    double value = static_cast<double>(size);
    int unit = 0;
    for (; value > 1024.0 && unit < 3; ++unit) {
      value /= 1024.0;
    }
    char text[64];
    std::snprintf(text, sizeof(text), "%.2f %s", value, kUnits[unit]);
    return text;
  }

  void setHighWatermarkRatio(double ratio) const override {
    TORCH_CHECK(ratio >= 0.0 && ratio <= kHighWatermarkUpperBound, "invalid high watermark ratio ",
                ratio);
    high_watermark_ratio_ = ratio;
    set_memory_limit(scaled(getRecommendedMaxMemory(), ratio));
  }
  void setLowWatermarkRatio(double ratio) const override {
    TORCH_CHECK(ratio >= 0.0 && (high_watermark_ratio_ == 0.0 || ratio <= high_watermark_ratio_),
                "invalid low watermark ratio ", ratio);
    low_watermark_limit_ = scaled(getRecommendedMaxMemory(), ratio);
  }
  ssize_t getLowWatermarkValue() const override {
    const size_t used = getTotalAllocatedMemory();
    return used >= low_watermark_limit_
               ? 0
               : static_cast<ssize_t>((low_watermark_limit_ - used) / 1048576UL);
  }
  size_t getLowWatermarkLimit() const override { return low_watermark_limit_; }
  size_t getHighWatermarkLimit() const override { return memory_limit(); }
  size_t getTotalAllocatedMemory() const override {
    const auto statistics = memory_statistics();
    return statistics.allocated + statistics.cached;
  }
  size_t getCurrentAllocatedMemory() const override { return memory_statistics().allocated; }
  size_t getDriverAllocatedMemory() const override { return getTotalAllocatedMemory(); }
  // As macOS: three quarters of the machine's memory.
  size_t getRecommendedMaxMemory() const override {
    static const size_t physical =
        static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGE_SIZE));
    return physical / 4 * 3;
  }

  std::pair<const void*, uint32_t> getSharedBufferPtr(const void* pointer) const override {
    return {host_address(pointer), 1};
  }

  c10::Storage getHostAliasStorage(const c10::Storage& storage) const override {
    const void* device = storage.data();
    TORCH_CHECK(
        storage.device_type() == c10::kMPS && (device == nullptr || is_device_pointer(device)),
        "getHostAliasStorage: storage must be allocated by the MPS allocator");
    void* host = device == nullptr ? nullptr : host_address(device);
    auto* owner = new c10::Storage(storage);
    c10::DataPtr data(
        host, owner, [](void* context) { delete static_cast<c10::Storage*>(context); },
        c10::Device(c10::kCPU));
    return c10::Storage(c10::Storage::use_byte_size_t(), storage.nbytes(), std::move(data));
  }

  // Nothing runs behind the host's back: there is no event to record or wait for.
  bool recordEvents(c10::ArrayRef<const void*> /*buffers*/) const override { return false; }
  bool waitForEvents(c10::ArrayRef<const void*> /*buffers*/) const override { return false; }

 private:
  mutable double high_watermark_ratio_ = kHighWatermarkRatio;
  mutable size_t low_watermark_limit_ = 0;
};

}  // namespace

void set_shared_memory(bool on) {
  shared = on;
}

at::mps::IMPSAllocator& allocator() {
  static auto* instance = new SimulatedAllocator();
  return *instance;
}

}  // namespace mpsops::sim

namespace at::mps {

IMPSAllocator* getIMPSAllocator() {
  return &mpsops::sim::allocator();
}

bool isMPSPinnedPtr(const void* /*data*/) {
  return false;
}

}  // namespace at::mps
