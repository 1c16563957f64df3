// Signals that make a thread leave the kernel that it runs, wherever in it it is, with an error.
// Nothing is left undone: kernels hold no locks and own no memory.
#pragma once

#include <pthread.h>

namespace mpsops::sim {

class Worker;

// As long as it lives, this OS thread runs kernels of `worker`: a division that the processor
// refuses is an error of the kernel, not the end of the process.
class KernelSignals {
 public:
  explicit KernelSignals(Worker& worker);
  ~KernelSignals();
  KernelSignals(const KernelSignals&) = delete;
  KernelSignals& operator=(const KernelSignals&) = delete;
};

// Makes another OS thread leave its kernel, unless it happens to be in the simulator: then try
// again.
void signal_hang(pthread_t thread);

}  // namespace mpsops::sim
