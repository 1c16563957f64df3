#include "csrc/sim/exec/settings.h"

#include <c10/util/Exception.h>

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <string_view>

namespace mpsops::sim {

namespace {

constexpr double kUnset = -1;

const char* environment(const char* name) {
  const char* text = std::getenv(name);
  return text != nullptr && *text != '\0' ? text : nullptr;
}

double parse_time_limit(std::string_view text) {
  double seconds = kUnset;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, seconds);
  TORCH_CHECK_VALUE(error == std::errc() && stop == end && seconds >= 0,
                    "mpsops.simulator: MPSOPS_SIM_TIMEOUT must be a number of seconds, got ", text);
  return seconds;
}

struct Settings {
  std::mutex mutex;
  Schedule schedule;
  std::atomic<bool> checked = false;
  std::atomic<RaceCheck> races = RaceCheck::kOff;
  std::atomic<double> time_limit = kUnset;
  std::atomic<bool> executing = true;
};

Settings& settings() {
  static Settings instance;
  static const bool read = [] {
    if (const char* text = environment("MPSOPS_SIM_SCHEDULE")) {
      instance.schedule = parse_schedule(text);
    }
    if (const char* text = environment("MPSOPS_SIM_CHECK")) {
      instance.checked = std::string_view(text) != "0";
    }
    if (const char* text = environment("MPSOPS_SIM_RACES")) {
      instance.races = parse_race_check(text);
      instance.checked = instance.checked || instance.races != RaceCheck::kOff;
    }
    if (const char* text = environment("MPSOPS_SIM_TIMEOUT")) {
      instance.time_limit = parse_time_limit(text);
    }
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

RaceCheck parse_race_check(const std::string& text) {
  for (const RaceCheck check : {RaceCheck::kOff, RaceCheck::kOn, RaceCheck::kUnequal}) {
    if (text == to_string(check)) {
      return check;
    }
  }
  TORCH_CHECK_VALUE(false, "mpsops.simulator: races must be 0, 1 or unequal, got ", text);
}

std::string to_string(RaceCheck check) {
  switch (check) {
    case RaceCheck::kOff:
      return "0";
    case RaceCheck::kOn:
      return "1";
    case RaceCheck::kUnequal:
      break;
  }
  return "unequal";
}

RaceCheck race_check() {
  return settings().races.load(std::memory_order_relaxed);
}

void set_race_check(RaceCheck check) {
  settings().races = check;
}

double time_limit(bool checked) {
  const double limit = settings().time_limit.load(std::memory_order_relaxed);
  return limit != kUnset ? limit : checked ? 60 : 0;
}

void set_time_limit(std::optional<double> seconds) {
  settings().time_limit = seconds.value_or(kUnset);
}

std::optional<double> chosen_time_limit() {
  const double limit = settings().time_limit;
  return limit == kUnset ? std::nullopt : std::optional(limit);
}

bool executing() {
  return settings().executing.load(std::memory_order_relaxed);
}

void set_executing(bool executing) {
  settings().executing = executing;
}

}  // namespace mpsops::sim
