// Device memory. Two reservations of one size: the device's addresses, which nobody may read or
// write, and the data, at the same offset in the other.
#pragma once

#include <cstddef>
#include <cstdint>

#include "csrc/sim/sim.h"

namespace mpsops::sim {

struct MemoryStatistics {
  size_t allocated = 0;       // bytes in live blocks
  size_t cached = 0;          // bytes in free blocks that may still hold pages
  size_t allocated_peak = 0;  // since the last reset_peaks()
  size_t reserved_peak = 0;
  uint64_t allocations = 0;  // ever
  uint64_t frees = 0;
  uint64_t allocated_total = 0;  // bytes ever
  uint64_t freed_total = 0;
};

// A block of at least `size` bytes, or nullptr if it would exceed the limit or the reservation.
void* allocate_memory(size_t size);
// Guard bytes that were overwritten are remembered: see throw_memory_errors().
void free_memory(void* device_pointer);
// Gives the pages of free blocks back to the system.
void release_cached_memory();

size_t block_size_for(size_t size);  // what allocate_memory(size) takes
void set_memory_limit(size_t bytes);
size_t memory_limit();
MemoryStatistics memory_statistics();
void reset_memory_peaks();
void reset_memory_totals();

// Raises the errors found where nothing could be thrown (destructors), as Metal reports a failed
// command buffer: at the next synchronisation.
void throw_memory_errors();

// Those, and what kernels reported themselves: wherever the host waits for the device.
void throw_device_errors();

// True for addresses of the device's reservation, live or not.
bool is_device_pointer(const void* pointer);
std::byte* host_address(const void* device_pointer);
void* device_address(const void* host_pointer);

}  // namespace mpsops::sim
