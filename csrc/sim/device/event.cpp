#include "csrc/sim/device/event.h"

#include <c10/util/Exception.h>

#include <chrono>
#include <map>
#include <mutex>
#include <optional>

namespace mpsops::sim {

namespace {

using Clock = std::chrono::steady_clock;

struct Event {
  bool timing;
  std::optional<Clock::time_point> recorded;
};

std::mutex mutex;
std::map<uint32_t, Event> events;
uint32_t last_id = 0;

Event& find(uint32_t id) {
  const auto found = events.find(id);
  TORCH_CHECK(found != events.end(), "Event with ID ", id, " does not exist");
  return found->second;
}

}  // namespace

uint32_t acquire_event(bool timing) {
  const std::scoped_lock lock(mutex);
  events.emplace(++last_id, Event{timing, std::nullopt});
  return last_id;
}

void release_event(uint32_t id) noexcept {
  const std::scoped_lock lock(mutex);
  events.erase(id);
}

void record_event(uint32_t id) {
  const std::scoped_lock lock(mutex);
  find(id).recorded = Clock::now();
}

bool query_event(uint32_t id) {
  const std::scoped_lock lock(mutex);
  find(id);
  return true;
}

double elapsed_milliseconds(uint32_t start, uint32_t end) {
  const std::scoped_lock lock(mutex);
  const Event& first = find(start);
  const Event& second = find(end);
  TORCH_CHECK(first.timing && second.timing,
              "Events were not created with argument 'enable_timing=True'");
  TORCH_CHECK(first.recorded && second.recorded,
              "Both events must be recorded before calculating elapsed time.");
  return std::chrono::duration<double, std::milli>(*second.recorded - *first.recorded).count();
}

}  // namespace mpsops::sim
