// How kernels are run. Set from Python or from the environment; one for the process.
#pragma once

#include <cstdint>
#include <string>

namespace mpsops::sim {

// In which order the threads of a group, its simdgroups and the groups take their turns.
struct Schedule {
  enum class Order : uint8_t { kForward, kReverse, kRandom };
  Order order = Order::kForward;
  uint64_t seed = 0;
};

Schedule schedule();
void set_schedule(Schedule schedule);  // MPSOPS_SIM_SCHEDULE=forward|reverse|random[:<seed>]
Schedule parse_schedule(const std::string& text);
std::string to_string(const Schedule& schedule);

// Whether every access of a kernel is checked. Slower; the test suite runs so.
bool checked();
void set_checked(bool checked);  // MPSOPS_SIM_CHECK=1

// Whether encoded dispatches run. Off, results stay unwritten: for timing the host alone.
bool executing();
void set_executing(bool executing);

}  // namespace mpsops::sim
