// Runs the groups of one dispatch on the CPU.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "csrc/sim/exec/library.h"
#include "csrc/sim/exec/settings.h"
#include "csrc/sim/msl/mpsops_abi.h"

namespace mpsops::sim {

// Memory bound to a buffer index. Loads may go to all of [begin, end), the storage; stores only to
// the bytes that the tensor spans, and nowhere when the parameter is read-only.
struct Binding {
  const mpsops_msl::Parameter* parameter = nullptr;
  std::byte* address = nullptr;  // what the kernel sees
  std::byte* begin = nullptr;
  std::byte* end = nullptr;
  std::byte* store_begin = nullptr;
  std::byte* store_end = nullptr;
};

struct Work {
  Code code;
  mpsops_msl::Launch launch{};
  std::vector<Binding> bindings;
  struct Dynamic {
    const mpsops_msl::Parameter* parameter;
    uint32_t offset;
    uint32_t size;
  };
  std::vector<Dynamic> threadgroup_arguments;
  Schedule schedule;
  RaceCheck races = RaceCheck::kOff;
  double time_limit = 0;  // seconds, 0: none
};

// Throws c10::Error for what the kernel did wrong; then no thread of it is left anywhere.
void run(const Work& work);

// What kernel libraries call.
const mpsops_msl::Runtime& runtime();

// Threadgroup memory: what Metal grants, and the distance between variables.
constexpr uint32_t kThreadgroupMemory = 32 << 10;
constexpr uint32_t kThreadgroupGap = 64;
constexpr uint32_t kArena = kThreadgroupMemory + (64 << 10);

}  // namespace mpsops::sim
