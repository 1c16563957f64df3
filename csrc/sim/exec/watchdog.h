// Ends kernels that do not end: a thread of its own looks at the processor time of those that run
// kernels, and sends one that hangs a signal.
#pragma once

#include <ctime>

#include <pthread.h>
#include <cstdint>

namespace mpsops::sim {

class Worker;

// Watches this OS thread, as long as it lives.
class Watch {
 public:
  // `limit`: seconds of processor time without progress, 0: no limit.
  Watch(Worker& worker, double limit);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  friend class Watchdog;
  // How long until the next look.
  double look();

  Worker& worker_;
  double limit_;
  pthread_t thread_ = pthread_self();
  clockid_t clock_{};
  uint64_t progress_ = 0;
  double since_ = 0;  // processor time when progress was seen last
};

}  // namespace mpsops::sim
