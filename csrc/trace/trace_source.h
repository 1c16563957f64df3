// Source lines of the user's program, as small numbers.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mpsops::trace {

struct Source {
  std::string file;  // empty where there is none
  int line = 0;
  bool backward = false;  // the backward of what the line computed
};

using LineId = uint32_t;
constexpr LineId kNoLine = 0;
constexpr LineId kBackward = 1;  // of an unknown line

// Whether files under a prefix are passed over; the longest prefix decides. Needs the GIL.
void set_skipped(std::vector<std::pair<std::string, bool>> prefixes);

// The innermost Python frame of this thread that is not passed over. Takes the GIL.
LineId python_line();

// An op of this thread made the autograd nodes with these sequence numbers.
struct Nodes {
  uint64_t begin;
  uint64_t end;
  LineId line;
  bool python;  // an autograd.Function, whose backward has frames of its own
};
void remember_nodes(const Nodes& nodes);
// What made a node; `line` is already that of the backward. Empty range where unknown.
Nodes find_nodes(uint64_t thread, uint64_t sequence);

Source source(LineId line);
void forget_sources();  // forward lines of nodes, and code objects. Needs the GIL.

}  // namespace mpsops::trace
