// Where kernels and the threads of the CPU meet: a dispatch is shared out to those, and kernels
// call back. Whoever needs this thread's worker is here: in one file, finding it takes no call.
#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#include <c10/util/StringUtil.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "csrc/sim/exec/scheduler.h"
#include "csrc/sim/exec/source_lines.h"
#include "csrc/sim/exec/worker.h"

namespace mpsops::sim {

thread_local constinit Worker* Worker::current_ = nullptr;

Worker& Worker::create() {
  thread_local Worker worker;
  current_ = &worker;
  return worker;
}

void Worker::loop_entry() {
  Worker& self = current();
  const bool ordered = self.work_->schedule.order != Schedule::Order::kForward;
  self.work_->code.row->loop(&self.work_->launch, self.loop_begin_, self.loop_end_,
                             ordered ? self.thread_order_.data() : nullptr, &self.loop_thread_);
  self.settle();
  mpsops_switch(&self.lanes_[0], self.scheduler_);
  __builtin_unreachable();
}

void Worker::wait(State state, Site site, const char* operation, Combine combine) {
  settle();
  if (expired_.load(std::memory_order_relaxed)) {
    hang(place(site));
  }
  Lane& lane = lanes_[current_lane()];
  lane.state = state;
  lane.file = site.file;
  lane.line = site.line;
  lane.column = static_cast<unsigned short>(site.column);
  lane.operation = operation;
  lane.combine = combine;
  mpsops_switch(&lane, &lanes_[lane.next]);
}

void Worker::finished() {
  settle();
  Lane& lane = lanes_[current_lane()];
  lane.state = State::kDone;
  mpsops_switch(&lane, &lanes_[lane.next]);
}

// The fiber is left where it is, for ever.
void Worker::fail(std::string what) {
  stop(c10::str(who(), ": ", what));
}

void Worker::stop(std::string error) {
  error_ = std::move(error);
  mpsops_switch(&lanes_[current_lane()], scheduler_);
  __builtin_unreachable();
}

void Worker::barrier(Site site, unsigned memory_flags) {
  if (looping_) {
    fail(c10::str("threadgroup_barrier at ", place(site),
                  " is not visible to the translator: call it by name"));
  }
  lanes_[current_lane()].memory_flags = memory_flags;
  wait(State::kBarrier, site, nullptr, nullptr);
}

void Worker::simdgroup_barrier(Site site, unsigned memory_flags) {
  lanes_[current_lane()].memory_flags = memory_flags;
  simdgroup(site, "simdgroup_barrier", nullptr);
}

void Worker::simdgroup(Site site, const char* operation, Combine combine) {
  if (looping_) {
    fail(c10::str(operation, " at ", place(site),
                  " is not visible to the translator: call it by name"));
  }
  wait(State::kSimdgroup, site, operation, combine);
}

namespace {

void on_barrier(Site site, unsigned memory_flags) {
  Worker::current().barrier(site, memory_flags);
}
void on_simdgroup_barrier(Site site, unsigned memory_flags) {
  Worker::current().simdgroup_barrier(site, memory_flags);
}
void on_simdgroup(Site site, const char* operation, Combine combine) {
  Worker::current().simdgroup(site, operation, combine);
}
void* on_threadgroup_variable(const void* tag, unsigned long size, unsigned long alignment,
                              const char* name, Site site) {
  return Worker::current().threadgroup_variable(tag, size, alignment, name, site);
}
void on_finished() {
  Worker::current().finished();
}
void on_access(const void* address, unsigned long size, Access access, const void* from) {
  Worker::current().access(address, size, access, from);
}
void on_misaligned(const void* address, unsigned long size, Access access, const void* from) {
  Worker::current().misaligned(address, size, access, from);
}
void on_atomic(const void* address, bool modifies) {
  Worker::current().atomic(address, modifies);
}
void on_bad_index(const char* type, long index, const void* from) {
  std::string name = type;
  if (const auto alias = name.find("(aka "); alias != std::string::npos) {
    name = name.substr(alias + 5, name.size() - alias - 6);
  }
  Worker::current().fail(
      c10::str("out-of-bounds index ", index, " into an array ", name, ", at ", line_of(from)));
}
void on_division_by_zero(const void* from) {
  Worker::current().fail(c10::str("integer division by zero, at ", line_of(from)));
}

}  // namespace

const mpsops_msl::Runtime& runtime() {
  static constexpr mpsops_msl::Runtime table{&on_barrier,    &on_simdgroup_barrier,
                                             &on_simdgroup,  &on_threadgroup_variable,
                                             &on_finished,   &on_access,
                                             &on_misaligned, &on_atomic,
                                             &on_bad_index,  &on_division_by_zero};
  return table;
}

// What is left to wait for at the end of a dispatch: one share of so many.
constexpr uint64_t kShares = 8;

void run(const Work& work) {
  const auto& launch = work.launch;
  const uint64_t groups = uint64_t{launch.groups.x} * launch.groups.y * launch.groups.z;
  const uint64_t threads =
      uint64_t{launch.group_size.x} * launch.group_size.y * launch.group_size.z;
  // At least so many threads before another OS thread is woken.
  const uint64_t worthwhile = work.code.row->fibers ? 256 : 16384;
  const uint64_t grain = std::max<uint64_t>(1, worthwhile / threads);
  if (work.races != RaceCheck::kOff) {
    const auto problem = Worker::current().run(work, 0, groups);
    TORCH_CHECK(problem.empty(), "mpsops.simulator: ", with_lines(problem, *work.code.library));
    return;
  }
  std::mutex mutex;
  std::string error;
  std::atomic<bool> failed = false;
  // Each takes some groups whenever it has done its last: one that is held up keeps few from the
  // others.
  const uint64_t workers = std::clamp<uint64_t>((groups + grain - 1) / grain, 1,
                                                static_cast<uint64_t>(at::get_num_threads()));
  // Other schedules order all groups of a worker.
  const bool may_share = workers > 1 && work.schedule.order == Schedule::Order::kForward;
  const uint64_t shares = may_share ? workers * kShares : workers;
  const uint64_t share = std::max(grain, (groups + shares - 1) / shares);
  std::atomic<uint64_t> next = 0;
  // It calls the function once, for all, in a build without OpenMP.
  at::parallel_for(0, static_cast<int64_t>(workers), 1, [&](int64_t, int64_t) {
    while (!failed.load(std::memory_order_relaxed)) {
      const uint64_t begin = next.fetch_add(share, std::memory_order_relaxed);
      if (begin >= groups) {
        return;
      }
      auto problem = Worker::current().run(work, begin, std::min(groups, begin + share));
      if (!problem.empty()) {
        failed = true;
        const std::scoped_lock lock(mutex);
        if (error.empty()) {
          error = std::move(problem);
        }
      }
    }
  });
  TORCH_CHECK(error.empty(), "mpsops.simulator: ", with_lines(error, *work.code.library));
}

}  // namespace mpsops::sim
