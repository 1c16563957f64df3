// How kernels are run. Set from Python or from the environment; one for the process.
#pragma once

#include <cstdint>
#include <optional>
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

// Whether accesses that race are errors, in checked kernels. Groups then run one after another.
enum class RaceCheck : uint8_t {
  kOff,
  kOn,
  kUnequal,  // two stores of the same value do not count
};
RaceCheck race_check();
void set_race_check(RaceCheck check);  // MPSOPS_SIM_RACES=1|unequal
RaceCheck parse_race_check(const std::string& text);
std::string to_string(RaceCheck check);

// Seconds of computing after which a thread without barriers, or a group, is taken to hang; 0:
// never. Unless set, 60 for checked kernels and 0 for others.
double time_limit(bool checked);
void set_time_limit(std::optional<double> seconds);  // MPSOPS_SIM_TIMEOUT=<seconds>
std::optional<double> chosen_time_limit();

// Whether encoded dispatches run. Off, results stay unwritten: for timing the host alone.
bool executing();
void set_executing(bool executing);

}  // namespace mpsops::sim
