// Finds accesses of different threads to the same memory that nothing orders. It remembers, for
// every byte, the last threads that loaded and stored it, and which barriers they had passed.
//
// Within a group a barrier orders the kinds of memory that its mem_flags name: threadgroup_barrier
// for all threads, simdgroup_barrier for those of the simdgroup. Nothing orders two groups of a
// dispatch. Atomic accesses do not race with one another.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace mpsops::sim {

enum class Space : uint8_t { kDevice, kThreadgroup };

// One access by one thread, and what it had passed by then.
struct Trace {
  uint32_t group = 0;
  uint32_t site = 0;          // offset of the code in its library
  uint32_t barriers = 0;      // of the group, whatever they order
  uint32_t ordered = 0;       // of these, those that order this kind of memory
  uint32_t simd_ordered = 0;  // likewise of the simdgroup
  uint16_t lane = 0;
  bool known = false;
  bool store = false;
  bool atomic = false;
};

// Runs on one OS thread, groups one after another.
class RaceDetector {
 public:
  void start_dispatch();
  void start_group();
  // All threads of the group, or all of one simdgroup, meet. The flags are of
  // mpsops_msl::MemoryFlags.
  void threadgroup_barrier(unsigned memory_flags);
  void simdgroup_barrier(unsigned simdgroup, unsigned memory_flags);

  // The access as it is from now on remembered: `now` lacks the counts of barriers.
  // Returns the earlier access that it races with.
  std::optional<Trace> access(const std::byte* first, size_t size, Space space, Trace now);

  // Whether threads met between the two accesses, without ordering this kind of memory.
  bool met_since(const Trace& earlier) const { return earlier.barriers != barriers_; }

 private:
  static constexpr size_t kPage = 4096;
  static constexpr size_t kWord = 4;

  // The last two loads and stores, by different threads of the group that came last; and one of
  // each by any group before.
  struct Cell {
    std::array<Trace, 2> loads;
    std::array<Trace, 2> stores;
    Trace earlier_load;
    Trace earlier_store;
  };
  // A cell for each word, from the first access to a part of one on for each byte.
  struct Page {
    size_t grain = kWord;
    std::vector<Cell> cells{kPage / kWord};
    void split();
  };

  Page& page(uintptr_t number);
  static std::optional<Trace> visit(Cell& cell, const Trace& now, Space space);

  std::unordered_map<uintptr_t, std::unique_ptr<Page>> pages_;
  uintptr_t last_number_ = 0;
  Page* last_page_ = nullptr;
  uint32_t barriers_ = 0;
  std::array<uint32_t, 2> ordered_{};                       // by Space
  std::array<std::array<uint32_t, 2>, 32> simd_ordered_{};  // by simdgroup, by Space
};

}  // namespace mpsops::sim
