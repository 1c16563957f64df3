#include "csrc/sim/exec/settings.h"

#include <c10/util/Exception.h>

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <string_view>

namespace mpsops::sim {

namespace {

struct Settings {
  std::mutex mutex;
  Schedule schedule;
  std::atomic<bool> checked = false;
  std::atomic<bool> executing = true;
};

Settings& settings() {
  static Settings instance;
  static const bool read = [] {
    if (const char* text = std::getenv("MPSOPS_SIM_SCHEDULE"); text != nullptr && *text != '\0') {
      instance.schedule = parse_schedule(text);
    }
    const char* check = std::getenv("MPSOPS_SIM_CHECK");
    instance.checked = check != nullptr && *check != '\0' && std::string_view(check) != "0";
    return true;
  }();
  (void)read;
  return instance;
}

}  // namespace

Schedule parse_schedule(const std::string& text) {
  const std::string_view view(text);
  if (view == "forward") {
    return {Schedule::Order::kForward, 0};
  }
  if (view == "reverse") {
    return {Schedule::Order::kReverse, 0};
  }
  if (view == "random") {
    return {Schedule::Order::kRandom, 0};
  }
  if (view.starts_with("random:")) {
    uint64_t seed = 0;
    const char* end = view.data() + view.size();
    if (const auto [stop, error] = std::from_chars(view.data() + 7, end, seed);
        error == std::errc() && stop == end) {
      return {Schedule::Order::kRandom, seed};
    }
  }
  TORCH_CHECK_VALUE(
      false, "mpsops.simulator: schedule must be forward, reverse or random[:seed], got ", text);
}

std::string to_string(const Schedule& schedule) {
  switch (schedule.order) {
    case Schedule::Order::kForward:
      return "forward";
    case Schedule::Order::kReverse:
      return "reverse";
    case Schedule::Order::kRandom:
      break;
  }
  return "random:" + std::to_string(schedule.seed);
}

Schedule schedule() {
  Settings& s = settings();
  const std::scoped_lock lock(s.mutex);
  return s.schedule;
}

void set_schedule(Schedule schedule) {
  Settings& s = settings();
  const std::scoped_lock lock(s.mutex);
  s.schedule = schedule;
}

bool checked() {
  return settings().checked.load(std::memory_order_relaxed);
}

void set_checked(bool checked) {
  settings().checked = checked;
}

bool executing() {
  return settings().executing.load(std::memory_order_relaxed);
}

void set_executing(bool executing) {
  settings().executing = executing;
}

}  // namespace mpsops::sim
