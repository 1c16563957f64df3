#include "csrc/sim/device/counters.h"

#include <mutex>
#include <unordered_map>

namespace mpsops::sim {

namespace {

class Counter {
 public:
  void add(const c10::OperatorHandle& op) {
    const std::scoped_lock lock(mutex_);
    ++calls_[op.operator_name()];
  }
  std::map<std::string, uint64_t> read() {
    const std::scoped_lock lock(mutex_);
    std::map<std::string, uint64_t> result;
    for (const auto& [name, calls] : calls_) {
      result.emplace(c10::toString(name), calls);
    }
    return result;
  }
  void reset() {
    const std::scoped_lock lock(mutex_);
    calls_.clear();
  }

 private:
  std::mutex mutex_;
  std::unordered_map<c10::OperatorName, uint64_t> calls_;
};

Counter fallbacks;
Counter stand_ins;

}  // namespace

void count_fallback(const c10::OperatorHandle& op) {
  fallbacks.add(op);
}
void count_stand_in(const c10::OperatorHandle& op) {
  stand_ins.add(op);
}
std::map<std::string, uint64_t> fallback_calls() {
  return fallbacks.read();
}
std::map<std::string, uint64_t> stand_in_calls() {
  return stand_ins.read();
}

void reset_counters() {
  fallbacks.reset();
  stand_ins.reset();
}

}  // namespace mpsops::sim
