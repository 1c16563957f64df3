#include "csrc/sim/exec/scheduler.h"

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#include <c10/util/StringUtil.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <numeric>

#include "csrc/core/mix.h"
#include "csrc/sim/exec/worker.h"

namespace mpsops::sim {

namespace {

// "0-30, 32"
std::string ranges(const std::vector<unsigned>& sorted) {
  std::string text;
  for (size_t i = 0; i < sorted.size();) {
    size_t j = i;
    while (j + 1 < sorted.size() && sorted[j + 1] == sorted[j] + 1) {
      ++j;
    }
    text += c10::str(text.empty() ? "" : ", ", sorted[i]);
    if (j > i) {
      text += c10::str('-', sorted[j]);
    }
    i = j + 1;
  }
  return text;
}

}  // namespace

uint64_t Worker::random() {
  return random_ = mix(random_);
}

const Stack& Worker::stack(unsigned i) {
  while (stacks_.size() <= i) {
    stacks_.push_back(std::make_unique<Stack>(stacks_.size()));
  }
  return *stacks_[i];
}

template <class T>
void Worker::order(std::vector<T>& items) {
  std::sort(items.begin(), items.end());
  switch (work_->schedule.order) {
    case Schedule::Order::kForward:
      break;
    case Schedule::Order::kReverse:
      std::reverse(items.begin(), items.end());
      break;
    case Schedule::Order::kRandom:
      for (size_t i = items.size(); i > 1; --i) {
        std::swap(items[i - 1], items[random() % i]);
      }
  }
}

// -- on the fibers

void Worker::lane_entry() {
  Worker& self = current();
  self.work_->code.row->call(&self.work_->launch, &self.threads_[self.lane_]);
  self.lanes_[self.lane_].state = State::kDone;
  void* never = nullptr;
  mpsops_switch_stack(&never, self.scheduler_);
  __builtin_unreachable();
}

void Worker::loop_entry() {
  Worker& self = current();
  const bool ordered = self.work_->schedule.order != Schedule::Order::kForward;
  self.work_->code.row->loop(&self.work_->launch, self.loop_begin_, self.loop_end_,
                             ordered ? self.thread_order_.data() : nullptr, self.threads_.data());
  void* never = nullptr;
  mpsops_switch_stack(&never, self.scheduler_);
  __builtin_unreachable();
}

void Worker::wait() {
  mpsops_switch_stack(&lanes_[lane_].stack_pointer, scheduler_);
}

// The fiber is left where it is, for ever.
void Worker::fail(std::string what) {
  error_ = c10::str(who(), ": ", what);
  void* never = nullptr;
  mpsops_switch_stack(&never, scheduler_);
  __builtin_unreachable();
}

void Worker::barrier(Site site) {
  if (looping_) {
    fail(c10::str("threadgroup_barrier at ", place(site),
                  " is not visible to the translator: call it by name"));
  }
  Lane& lane = lanes_[lane_];
  lane.state = State::kBarrier;
  lane.site = site;
  wait();
}

void Worker::simdgroup(Site site, const char* operation, void* value, Combine combine) {
  if (looping_) {
    fail(c10::str(operation, " at ", place(site),
                  " is not visible to the translator: call it by name"));
  }
  Lane& lane = lanes_[lane_];
  lane.state = State::kSimdgroup;
  lane.site = site;
  lane.operation = operation;
  lane.value = value;
  lane.combine = combine;
  wait();
}

// -- the scheduler

void Worker::resume(unsigned lane) {
  lane_ = lane;
  const Stack& own = *stacks_[lane];
  stack_begin_ = own.begin();
  stack_end_ = own.end();
  mpsops_switch_stack(&scheduler_, lanes_[lane].stack_pointer);
}

// All waiting lanes of [first, last) are at a simdgroup function, or at a barrier or done.
bool Worker::meet(unsigned first, unsigned last) {
  void* values[kSimdgroupSize] = {};
  unsigned mask = 0;
  const Lane* leader = nullptr;
  for (unsigned i = first; i < last; ++i) {
    const Lane& lane = lanes_[i];
    if (lane.state != State::kSimdgroup) {
      continue;
    }
    if (leader == nullptr) {
      leader = &lane;
    } else if (lane.site.line != leader->site.line || lane.site.column != leader->site.column ||
               std::strcmp(lane.operation, leader->operation) != 0 ||
               std::strcmp(lane.site.file, leader->site.file) != 0) {
      std::vector<unsigned> here;
      std::vector<unsigned> there;
      for (unsigned j = first; j < last; ++j) {
        if (lanes_[j].state == State::kSimdgroup) {
          const bool same = lanes_[j].site.line == leader->site.line &&
                            lanes_[j].site.column == leader->site.column &&
                            std::strcmp(lanes_[j].operation, leader->operation) == 0 &&
                            std::strcmp(lanes_[j].site.file, leader->site.file) == 0;
          (same ? here : there).push_back(j);
        }
      }
      error_ = c10::str("kernel '", work_->code.row->name, "', threadgroup ",
                        position(threads_[first].group), ", simdgroup ", first / kSimdgroupSize,
                        ": its lanes meet in different operations: threads ", ranges(here), " in ",
                        leader->operation, " at ", place(leader->site), ", threads ", ranges(there),
                        " in ", lane.operation, " at ", place(lane.site));
      return false;
    }
    values[i - first] = lane.value;
    mask |= 1u << (i - first);
  }
  if (leader->combine != nullptr) {
    // It reads and writes the stacks of all lanes.
    stack_begin_ = nullptr;
    stack_end_ = reinterpret_cast<const std::byte*>(~uintptr_t{0});
    leader->combine(values, mask);
  }
  for (unsigned i = first; i < last; ++i) {
    if (lanes_[i].state == State::kSimdgroup) {
      lanes_[i].state = State::kReady;
    }
  }
  return true;
}

// Runs a simdgroup until all its lanes are done or at a barrier, in random order sometimes less.
// False when it could not move at all.
bool Worker::advance(unsigned simdgroup) {
  const unsigned first = simdgroup * kSimdgroupSize;
  const unsigned last = std::min(first + kSimdgroupSize, count_);
  bool moved = false;
  while (true) {
    lane_order_.clear();
    bool waiting = false;
    for (unsigned i = first; i < last; ++i) {
      if (lanes_[i].state == State::kReady) {
        lane_order_.push_back(i);
      } else if (lanes_[i].state == State::kSimdgroup) {
        waiting = true;
      }
    }
    if (lane_order_.empty()) {
      if (!waiting) {
        return moved;
      }
      if (!meet(first, last)) {
        return false;
      }
      moved = true;
      if (work_->schedule.order == Schedule::Order::kRandom && (random() & 1) != 0) {
        return true;
      }
      continue;
    }
    if (work_->schedule.order != Schedule::Order::kForward) {
      order(lane_order_);
    }
    moved = true;
    for (const unsigned i : lane_order_) {
      resume(i);
      if (!error_.empty()) {
        return false;
      }
    }
  }
}

// Nothing can move. True when all threads are at one barrier, which then opens.
bool Worker::open_barrier() {
  std::vector<unsigned> done;
  std::vector<std::pair<Site, std::vector<unsigned>>> waiting;
  for (unsigned i = 0; i < count_; ++i) {
    if (lanes_[i].state == State::kDone) {
      done.push_back(i);
      continue;
    }
    const Site& site = lanes_[i].site;
    auto found = std::find_if(waiting.begin(), waiting.end(), [&](const auto& entry) {
      return entry.first.line == site.line && entry.first.column == site.column &&
             std::strcmp(entry.first.file, site.file) == 0;
    });
    if (found == waiting.end()) {
      found = waiting.insert(waiting.end(), {site, {}});
    }
    found->second.push_back(i);
  }
  if (waiting.size() == 1 && done.empty()) {
    for (unsigned i = 0; i < count_; ++i) {
      lanes_[i].state = State::kReady;
    }
    return true;
  }
  const auto where = c10::str("kernel '", work_->code.row->name, "', threadgroup ",
                              position(threads_[0].group), ": ");
  if (waiting.size() == 1) {
    error_ = c10::str(where, "the threadgroup_barrier at ", place(waiting[0].first),
                      " is never reached by all: threads ", ranges(waiting[0].second),
                      " wait there, threads ", ranges(done), " have returned");
  } else {
    error_ = c10::str(where, "threads wait at different barriers:");
    for (size_t i = 0; i < waiting.size(); ++i) {
      error_ += c10::str(i == 0 ? " threads " : ", threads ", ranges(waiting[i].second), " at ",
                         place(waiting[i].first));
    }
    if (!done.empty()) {
      error_ += c10::str("; threads ", ranges(done), " have returned");
    }
  }
  return false;
}

void Worker::start_group(uint64_t group) {
  const auto& launch = work_->launch;
  const Extent at{static_cast<unsigned>(group % launch.groups.x),
                  static_cast<unsigned>(group / launch.groups.x % launch.groups.y),
                  static_cast<unsigned>(group / launch.groups.x / launch.groups.y)};
  const auto extent = [](unsigned size, unsigned grid, unsigned position) {
    return static_cast<unsigned>(std::min<uint64_t>(size, grid - uint64_t{position} * size));
  };
  const Extent size{extent(launch.group_size.x, launch.grid.x, at.x),
                    extent(launch.group_size.y, launch.grid.y, at.y),
                    extent(launch.group_size.z, launch.grid.z, at.z)};
  count_ = size.x * size.y * size.z;
  arena_ = arena_storage_.get() + (256 - reinterpret_cast<uintptr_t>(arena_storage_.get()) % 256);
  variables_.clear();
  arena_used_ = kThreadgroupGap;
  arena_charged_ = 0;
  for (const auto& dynamic : work_->threadgroup_arguments) {
    variables_.push_back(
        {dynamic.parameter, arena_ + dynamic.offset, dynamic.size, dynamic.parameter->name});
    poison(arena_ + dynamic.offset, dynamic.size);
    arena_used_ = dynamic.offset + dynamic.size + kThreadgroupGap;
    arena_charged_ += dynamic.size;
  }
  unsigned i = 0;
  for (unsigned z = 0; z < size.z; ++z) {
    for (unsigned y = 0; y < size.y; ++y) {
      for (unsigned x = 0; x < size.x; ++x, ++i) {
        threads_[i] = {at,
                       size,
                       {x, y, z},
                       {at.x * launch.group_size.x + x, at.y * launch.group_size.y + y,
                        at.z * launch.group_size.z + z},
                       i,
                       reinterpret_cast<char*>(arena_)};
        lanes_[i].state = State::kReady;
        lanes_[i].stack_pointer = stack(i).prepare(&Worker::lane_entry);
      }
    }
  }
}

std::string Worker::run_group(uint64_t group) {
  start_group(group);
  const unsigned simdgroups = (count_ + kSimdgroupSize - 1) / kSimdgroupSize;
  simdgroup_order_.resize(simdgroups);
  std::iota(simdgroup_order_.begin(), simdgroup_order_.end(), 0u);
  while (true) {
    bool moved = false;
    if (work_->schedule.order != Schedule::Order::kForward) {
      order(simdgroup_order_);
    }
    for (const unsigned simdgroup : simdgroup_order_) {
      moved = advance(simdgroup) || moved;
      if (!error_.empty()) {
        return std::move(error_);
      }
    }
    if (moved) {
      // In forward and reverse order every simdgroup went as far as it can; random ones may not
      // have.
      if (work_->schedule.order == Schedule::Order::kRandom) {
        continue;
      }
    }
    const bool all_done = std::all_of(lanes_.begin(), lanes_.begin() + count_,
                                      [](const Lane& lane) { return lane.state == State::kDone; });
    if (all_done) {
      return {};
    }
    if (!open_barrier()) {
      return std::move(error_);
    }
  }
}

std::string Worker::run_loop(const Work& work, uint64_t begin, uint64_t end) {
  const auto& size = work.launch.group_size;
  thread_order_.resize(size_t{size.x} * size.y * size.z);
  std::iota(thread_order_.begin(), thread_order_.end(), 0u);
  order(thread_order_);
  looping_ = true;
  loop_begin_ = begin;
  loop_end_ = end;
  const Stack& own = stack(0);
  stack_begin_ = own.begin();
  stack_end_ = own.end();
  mpsops_switch_stack(&scheduler_, own.prepare(&Worker::loop_entry));
  return std::move(error_);
}

std::string Worker::run(const Work& work, uint64_t begin, uint64_t end) {
  work_ = &work;
  error_.clear();
  variables_.clear();
  looping_ = false;
  hits_[0] = hits_[1] = {};
  random_ = mix(work.schedule.seed ^ mix(begin));
  const bool loop = !work.code.row->fibers;
  if (loop && work.schedule.order == Schedule::Order::kForward) {
    return run_loop(work, begin, end);
  }
  std::vector<uint64_t> ordered;
  if (work.schedule.order != Schedule::Order::kForward) {
    ordered.resize(end - begin);
    std::iota(ordered.begin(), ordered.end(), begin);
    order(ordered);
  }
  for (uint64_t i = begin; i < end; ++i) {
    const uint64_t group = ordered.empty() ? i : ordered[i - begin];
    if (auto error = loop ? run_loop(work, group, group + 1) : run_group(group); !error.empty()) {
      return error;
    }
  }
  return {};
}

namespace {

void on_barrier(Site site) {
  Worker::current().barrier(site);
}
void on_simdgroup(Site site, const char* operation, void* value, Combine combine) {
  Worker::current().simdgroup(site, operation, value, combine);
}
void* on_threadgroup_variable(const void* tag, unsigned long size, unsigned long alignment,
                              const char* name, Site site) {
  return Worker::current().threadgroup_variable(tag, size, alignment, name, site);
}
void on_access(const void* address, unsigned long size, bool store) {
  Worker::current().access(address, size, store);
}

}  // namespace

const mpsops_msl::Runtime& runtime() {
  static constexpr mpsops_msl::Runtime table{&on_barrier, &on_simdgroup, &on_threadgroup_variable,
                                             &on_access};
  return table;
}

void run(const Work& work) {
  const auto& launch = work.launch;
  const uint64_t groups = uint64_t{launch.groups.x} * launch.groups.y * launch.groups.z;
  const uint64_t threads =
      uint64_t{launch.group_size.x} * launch.group_size.y * launch.group_size.z;
  // At least so many threads before another OS thread is woken.
  const uint64_t worthwhile = work.code.row->fibers ? 256 : 16384;
  const auto grain = static_cast<int64_t>(std::max<uint64_t>(1, worthwhile / threads));
  std::mutex mutex;
  std::string error;
  std::atomic<bool> failed = false;
  at::parallel_for(0, static_cast<int64_t>(groups), grain, [&](int64_t begin, int64_t end) {
    if (failed.load(std::memory_order_relaxed)) {
      return;
    }
    auto problem =
        Worker::current().run(work, static_cast<uint64_t>(begin), static_cast<uint64_t>(end));
    if (!problem.empty()) {
      failed = true;
      const std::scoped_lock lock(mutex);
      if (error.empty()) {
        error = std::move(problem);
      }
    }
  });
  TORCH_CHECK(error.empty(), "mpsops.simulator: ", error);
}

}  // namespace mpsops::sim
