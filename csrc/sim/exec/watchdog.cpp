#include "csrc/sim/exec/watchdog.h"

#include <c10/util/Exception.h>
#include <c10/util/StringUtil.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "csrc/sim/exec/signals.h"
#include "csrc/sim/exec/worker.h"

namespace mpsops::sim {

namespace {

double seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace

class Watchdog {
 public:
  static Watchdog& instance() {
    // Never deleted: its thread goes on, except in a forked process, which needs one of its own.
    static std::atomic<Watchdog*> current = nullptr;
    static const int registered = pthread_atfork(nullptr, nullptr, [] { current = nullptr; });
    (void)registered;
    Watchdog* watchdog = current;
    if (watchdog == nullptr) {
      auto fresh = std::make_unique<Watchdog>();
      if (current.compare_exchange_strong(watchdog, fresh.get())) {
        watchdog = fresh.release();
        watchdog->start();
      }
    }
    return *watchdog;
  }

  void add(Watch* watch) {
    const std::scoped_lock lock(mutex_);
    watches_.push_back(watch);
    if (watches_.size() == 1) {
      changed_.notify_one();
    }
  }

  void remove(Watch* watch) {
    const std::scoped_lock lock(mutex_);
    std::erase(watches_, watch);
  }

 private:
  void start() {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread([this] { run(); }).detach();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return !watches_.empty(); });
      double next = 1;
      for (Watch* watch : watches_) {
        next = std::min(next, watch->look());
      }
      // Kernels that end in time are the rule: this thread sleeps through most of them.
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::duration<double>(next));
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Watch*> watches_;
};

Watch::Watch(Worker& worker, double limit) : worker_(worker), limit_(limit) {
  if (limit_ == 0) {
    return;
  }
  pthread_getcpuclockid(thread_, &clock_);
  since_ = -1;
  Watchdog::instance().add(this);
}

Watch::~Watch() {
  if (limit_ != 0) {
    Watchdog::instance().remove(this);
  }
}

double Watch::look() {
  const double now = seconds(clock_);
  const uint64_t progress = worker_.progress();
  if (since_ < 0 || progress != progress_) {
    progress_ = progress;
    since_ = now;
  }
  if (now - since_ < limit_) {
    return std::max(limit_ / 4, 0.001);
  }
  worker_.expire();
  signal_hang(thread_);
  return 0.01;
}

uint64_t Worker::progress() const {
  uint64_t sum = progress_.load(std::memory_order_relaxed);
  if (looping_) {
    // Another thread writes it: any mixture of two positions tells as much.
    const volatile Thread& thread = loop_thread_;
    sum +=
        (uint64_t{thread.in_grid.z} << 42) + (uint64_t{thread.in_grid.y} << 21) + thread.in_grid.x;
  }
  return sum;
}

void Worker::hang(const std::string& where) {
  fail(c10::str("no end after ", work_->time_limit, " s, at ", where,
                ": an endless loop, or a wait for a thread that only runs once this one ends "
                "(MPSOPS_SIM_TIMEOUT sets the limit)"));
}

}  // namespace mpsops::sim
