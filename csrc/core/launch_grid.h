// What kernels are told about a grid by the runtimes that are not Metal (mpsops_abi.h).
#pragma once

#include <c10/util/Exception.h>

#include <cstdint>
#include <limits>

#include "csrc/core/kernel.h"
#include "csrc/sim/msl/mpsops_abi.h"

namespace mpsops {

inline void set_launch_grid(mpsops_msl::Launch& launch, const Grid& grid) {
  const bool in_threads = grid.unit == Grid::Unit::kThreads;
  const auto groups = [&](uint32_t count, uint32_t group) {
    return in_threads ? (count - 1) / group + 1 : count;
  };
  const auto threads = [&](uint32_t count, uint32_t group) {
    const uint64_t total = in_threads ? count : uint64_t{count} * group;
    TORCH_CHECK(total <= std::numeric_limits<uint32_t>::max(),
                "mpsops: an axis of the grid must have less than 2^32 threads, got ", total);
    return static_cast<uint32_t>(total);
  };
  launch.group_size = {grid.group.x, grid.group.y, grid.group.z};
  launch.groups = {groups(grid.count.x, grid.group.x), groups(grid.count.y, grid.group.y),
                   groups(grid.count.z, grid.group.z)};
  launch.grid = {threads(grid.count.x, grid.group.x), threads(grid.count.y, grid.group.y),
                 threads(grid.count.z, grid.group.z)};
}

}  // namespace mpsops
