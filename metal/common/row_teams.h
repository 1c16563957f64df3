// Rows shared out to teams (metal/common/reduce.h): a group takes as many neighbouring rows at a
// time as it has teams. All threads of a group take the same number of turns, because the team
// functions need every one of them:
//
//   const RowTeams teams = row_teams(params.lanes, group, groups, at);
//   for (long first = teams.first; first < params.rows; first += teams.step) {
//     const long row = first + teams.team;  // none if not below params.rows
//
// Host side: csrc/core/row_teams.h.
#pragma once

#include <metal_stdlib>

#include "metal/common/index.h"
#include "metal/common/reduce.h"

struct RowTeams {
  long first;   // row of the group's first team
  long step;    // rows between two turns
  uint team;    // in the group
  uint lane;    // in the team
  ulong index;  // of the team in the grid
};

inline RowTeams row_teams(uint lanes, uint2 group, uint2 groups, GroupPosition at) {
  const uint teams_per_group = at.threads / lanes;
  RowTeams teams;
  teams.first = long(linear_index(group, groups) * teams_per_group);
  teams.step = long(groups.x) * groups.y * teams_per_group;
  teams.team = at.thread_index / lanes;
  teams.lane = at.thread_index % lanes;
  teams.index = ulong(teams.first) + teams.team;
  return teams;
}
