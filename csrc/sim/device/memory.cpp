#include "csrc/sim/device/memory.h"

#include <c10/util/Exception.h>
#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace mpsops::sim {

namespace {

constexpr size_t kAlignment = 256;  // what Metal asks of buffer offsets in the worst case
constexpr size_t kPage = 4096;
constexpr size_t kGuardMin = 64;
constexpr size_t kGuardMax = 512;
constexpr size_t kGiveBack = size_t{8} << 20;  // blocks from here on lose their pages when freed
constexpr unsigned char kGuardByte = 0xA5;

constexpr size_t round_up(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

struct Block {
  size_t size;        // asked for
  size_t block_size;  // taken
};

class Memory {
 public:
  Memory() {
    // Address space only: halved where the system (ulimit -v) grants less.
    for (reserved_ = size_t{1} << 40; reserved_ >= size_t{1} << 30; reserved_ /= 2) {
      void* opaque =
          mmap(nullptr, reserved_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (opaque == MAP_FAILED) {
        continue;
      }
      void* data = mmap(nullptr, reserved_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (data == MAP_FAILED) {
        munmap(opaque, reserved_);
        continue;
      }
      // As the C library's large blocks: a page of 4 KiB each would halve the speed of memory.
      madvise(data, reserved_, MADV_HUGEPAGE);
      opaque_ = static_cast<std::byte*>(opaque);
      data_ = static_cast<std::byte*>(data);
      return;
    }
    TORCH_CHECK(false, "mpsops.simulator: cannot reserve address space for device memory");
  }

  void* allocate(size_t size) {
    const std::scoped_lock lock(mutex_);
    const size_t block_size = block_size_for(size);
    if (block_size == 0 || block_size > limit_ || statistics_.allocated > limit_ - block_size) {
      return nullptr;
    }
    if (statistics_.allocated + statistics_.cached > limit_ - block_size) {
      release_cached_locked();
    }
    std::byte* device = nullptr;
    if (auto found = free_.find(block_size); found != free_.end() && !found->second.empty()) {
      device = found->second.back();
      found->second.pop_back();
      if (block_size < kGiveBack && released_.erase(device) == 0) {
        statistics_.cached -= block_size;
      }
    } else {
      if (block_size > reserved_ - used_) {
        return nullptr;
      }
      device = opaque_ + used_;
      used_ += block_size;
    }
    blocks_.emplace(device, Block{size, block_size});
    std::memset(to_host(device) + size, kGuardByte, guard_size(size, block_size));
    statistics_.allocated += block_size;
    statistics_.allocations += 1;
    statistics_.allocated_total += block_size;
    statistics_.allocated_peak = std::max(statistics_.allocated_peak, statistics_.allocated);
    statistics_.reserved_peak =
        std::max(statistics_.reserved_peak, statistics_.allocated + statistics_.cached);
    return device;
  }

  void free(void* pointer) {
    const std::scoped_lock lock(mutex_);
    auto* device = static_cast<std::byte*>(pointer);
    const auto found = blocks_.find(device);
    if (found == blocks_.end()) {
      errors_.emplace_back("mpsops.simulator: freed a pointer that is not allocated");
      return;
    }
    const Block block = found->second;
    if (const auto error = guard_error(to_host(device), block.size, block.block_size);
        !error.empty()) {
      errors_.push_back(error);
    }
    blocks_.erase(found);
    free_[block.block_size].push_back(device);
    statistics_.allocated -= block.block_size;
    statistics_.frees += 1;
    statistics_.freed_total += block.block_size;
    if (block.block_size >= kGiveBack) {
      madvise(to_host(device), block.block_size, MADV_DONTNEED);
    } else {
      statistics_.cached += block.block_size;
    }
  }

  Allocation find(const void* pointer) {
    const auto* device = static_cast<const std::byte*>(pointer);
    const std::scoped_lock lock(mutex_);
    auto next = blocks_.upper_bound(const_cast<std::byte*>(device));
    TORCH_CHECK(next != blocks_.begin(), "mpsops.simulator: ", pointer, " is no device pointer");
    const auto& [base, block] = *std::prev(next);
    TORCH_CHECK(device < base + block.block_size, "mpsops.simulator: ", pointer,
                contains(pointer) ? " points into device memory that is not allocated"
                                  : " is no device pointer");
    return {base, to_host(base), block.size};
  }

  std::string guard_error(const std::byte* host, size_t size, size_t block_size) const {
    const size_t count = guard_size(size, block_size);
    for (size_t i = 0; i < count; ++i) {
      if (host[size + i] != std::byte{kGuardByte}) {
        return c10::str("mpsops.simulator: out-of-bounds write: byte ", i,
                        " behind an allocation of ", size, " bytes was overwritten");
      }
    }
    return {};
  }

  void release_cached() {
    const std::scoped_lock lock(mutex_);
    release_cached_locked();
  }

  bool contains(const void* pointer) const {
    const auto* address = static_cast<const std::byte*>(pointer);
    return address >= opaque_ && address < opaque_ + reserved_;
  }

  std::byte* to_host(const void* device) const {
    return data_ + (static_cast<const std::byte*>(device) - opaque_);
  }
  std::byte* to_device(const void* host) const {
    return opaque_ + (static_cast<const std::byte*>(host) - data_);
  }

  static size_t guard_size(size_t size, size_t block_size) {
    return std::min(block_size - size, kGuardMax);
  }

  std::mutex mutex_;
  MemoryStatistics statistics_;
  size_t limit_ = std::numeric_limits<size_t>::max();
  std::vector<std::string> errors_;

 private:
  void release_cached_locked() {
    for (auto& [block_size, devices] : free_) {
      for (auto* device : devices) {
        // Only whole pages of the block: the neighbours may be live.
        const auto begin = round_up(reinterpret_cast<uintptr_t>(to_host(device)), kPage);
        const auto end = reinterpret_cast<uintptr_t>(to_host(device) + block_size) / kPage * kPage;
        if (block_size < kGiveBack && released_.insert({device, true}).second && end > begin) {
          madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
        }
      }
    }
    statistics_.cached = 0;
  }

  std::byte* opaque_ = nullptr;
  std::byte* data_ = nullptr;
  size_t reserved_ = 0;
  size_t used_ = 0;
  std::map<std::byte*, Block> blocks_;                        // live, by device address
  std::unordered_map<size_t, std::vector<std::byte*>> free_;  // by block size
  std::unordered_map<std::byte*, bool> released_;  // free, small, and not counted as cached
};

Memory& memory() {
  // Never destroyed: tensors that outlive the interpreter still free their blocks.
  static auto* instance = [] {
    auto* created = new Memory();
    pthread_atfork([] { memory().mutex_.lock(); }, [] { memory().mutex_.unlock(); },
                   [] { memory().mutex_.unlock(); });
    return created;
  }();
  return *instance;
}

}  // namespace

// Four classes to each power of two, so that free blocks fit again.
size_t block_size_for(size_t size) {
  if (size > std::numeric_limits<size_t>::max() / 4) {
    return 0;
  }
  const size_t needed = round_up(size + kGuardMin, kAlignment);
  if (needed <= 4 * kAlignment) {
    return needed;
  }
  const size_t step = std::bit_floor(needed - 1) / 4;
  return round_up(needed, std::max(step, needed >= kGiveBack ? kPage : kAlignment));
}

void* allocate_memory(size_t size) {
  return memory().allocate(size);
}
void free_memory(void* device_pointer) {
  memory().free(device_pointer);
}
void release_cached_memory() {
  memory().release_cached();
}

void set_memory_limit(size_t bytes) {
  const std::scoped_lock lock(memory().mutex_);
  memory().limit_ = bytes;
}

size_t memory_limit() {
  const std::scoped_lock lock(memory().mutex_);
  return memory().limit_;
}

MemoryStatistics memory_statistics() {
  const std::scoped_lock lock(memory().mutex_);
  return memory().statistics_;
}

void reset_memory_peaks() {
  const std::scoped_lock lock(memory().mutex_);
  auto& statistics = memory().statistics_;
  statistics.allocated_peak = statistics.allocated;
  statistics.reserved_peak = statistics.allocated + statistics.cached;
}

void reset_memory_totals() {
  const std::scoped_lock lock(memory().mutex_);
  auto& statistics = memory().statistics_;
  statistics.allocations = statistics.frees = 0;
  statistics.allocated_total = statistics.freed_total = 0;
}

void throw_memory_errors() {
  std::vector<std::string> errors;
  {
    const std::scoped_lock lock(memory().mutex_);
    errors.swap(memory().errors_);
  }
  TORCH_CHECK(errors.empty(), errors.front());
}

bool is_device_pointer(const void* pointer) {
  return memory().contains(pointer);
}
std::byte* host_address(const void* device_pointer) {
  return memory().to_host(device_pointer);
}
void* device_address(const void* host_pointer) {
  return memory().to_device(host_pointer);
}

Allocation find_allocation(const void* device_pointer) {
  return memory().find(device_pointer);
}

void check_guard(const Allocation& allocation) {
  const auto error =
      memory().guard_error(allocation.host, allocation.size, block_size_for(allocation.size));
  TORCH_CHECK(error.empty(), error);
}

}  // namespace mpsops::sim
