// Ops that have a CPU kernel and none on MPS: they run on the CPU, on the memory that GPU and CPU
// share, without the copies of torch's own fallback.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace mpsops::cpu_path {

// Gets the text of the warning that an op gives when it runs here for the first time.
void set_warning(void (*warn)(const std::string& text));

// Puts every such op of the running torch on the CPU path, those that were there before included.
// Ops that mpsops has a kernel for are left alone, and so are ops that are made of others.
void enable();
void disable();
bool enabled();

std::vector<std::string> ops();  // "aten::take", sorted

struct Calls {
  uint64_t calls = 0;
  uint64_t bytes_copied = 0;
};
std::map<std::string, Calls> calls();  // since the last reset_calls()
void reset_calls();

}  // namespace mpsops::cpu_path
