// How often ops ran as stand-ins and as CPU fallbacks, by operator name.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <cstdint>
#include <map>
#include <string>

namespace mpsops::sim {

void count_fallback(const c10::OperatorHandle& op);
void count_stand_in(const c10::OperatorHandle& op);

std::map<std::string, uint64_t> fallback_calls();
std::map<std::string, uint64_t> stand_in_calls();
void reset_counters();

}  // namespace mpsops::sim
