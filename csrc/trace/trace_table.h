// What a trace has counted so far, and the ops as it sees them.
#pragma once

#include <ATen/record_function.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "csrc/trace/trace_source.h"

namespace mpsops::trace {

enum class Place : uint8_t {
  kStock,     // an MPS kernel that is not ours, or no kernel: views
  kMpsops,    // ours
  kCpu,       // ours, by the CPU on the memory of the device
  kFallback,  // torch's fallback: by the CPU on copies
  kMissing,   // raised, because there is no MPS kernel
  kRaised,    // raised, for another reason
};

enum class Role : uint8_t { kOther, kToCpu, kCopy };

struct Op {
  const std::string* name;  // "aten::mode.values"; never freed
  // It reaches a backend: what it calls inside belongs to it. Otherwise it is composed of others.
  bool kernel;
  bool registered;  // on MPS
  Role role;
};

// The op of a record function; none for what is no op (custom autograd functions, user scopes).
std::optional<Op> find_op(const at::RecordFunction& function);

struct Counters {
  uint64_t calls = 0;
  uint64_t nanoseconds = 0;
  uint64_t bytes_copied = 0;
};

struct Row {
  std::string op;
  Place place;
  Source source;
  Counters counters;
};

void clear_table();
void add(const Op& op, Place place, LineId line, uint64_t nanoseconds, uint64_t bytes_copied);
// Time in ops that are composed of others, without those.
void add_composed(uint64_t nanoseconds);

std::vector<Row> rows();
uint64_t composed_nanoseconds();

}  // namespace mpsops::trace
