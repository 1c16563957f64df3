// How many threads share a row: host side of metal/common/row_teams.h.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "csrc/core/kernel.h"

namespace mpsops {

struct RowTeams {
  uint32_t lanes;    // of a team: a power of two up to 32, or all threads of the group
  uint32_t threads;  // of a group, a multiple of 32

  int64_t groups(int64_t teams) const {
    const int64_t teams_per_group = threads / lanes;
    return (teams + teams_per_group - 1) / teams_per_group;
  }
  // Groups for one team per row.
  Grid grid(int64_t rows) const { return groups_for(groups(rows), threads); }
};

// For rows of `length` elements, of which a lane takes up to `per_lane`: more only where a group of
// the most threads is too small.
inline RowTeams row_teams(const Kernel& kernel, int64_t length, int64_t per_lane) {
  constexpr uint32_t kSimdgroup = 32;
  constexpr uint32_t kTeamThreads = 256;  // of a group of several teams
  const uint32_t most =
      std::min(kernel.max_total_threads_per_threadgroup(), 1024u) / kSimdgroup * kSimdgroup;
  if (length <= kSimdgroup * per_lane) {
    const auto lanes = std::bit_ceil(static_cast<uint64_t>(std::clamp<int64_t>(length, 1, 32)));
    return {static_cast<uint32_t>(lanes), std::min(kTeamThreads, most)};
  }
  const int64_t wanted = (length + per_lane - 1) / per_lane;
  const auto threads = static_cast<uint32_t>(std::min<int64_t>(wanted, most));
  const uint32_t whole = (threads + kSimdgroup - 1) / kSimdgroup * kSimdgroup;
  return {whole, whole};
}

}  // namespace mpsops
