#include "csrc/sim/exec/scheduler.h"

#include <c10/util/StringUtil.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "csrc/core/mix.h"
#include "csrc/sim/exec/signals.h"
#include "csrc/sim/exec/watchdog.h"
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

// Names are literals of one library: nearly always the same ones.
bool same_text(const char* a, const char* b) {
  return a == b || std::strcmp(a, b) == 0;
}

bool same_site(const Lane& a, const Lane& b) {
  return a.line == b.line && a.column == b.column && same_text(a.file, b.file);
}

bool same_operation(const Lane& a, const Lane& b) {
  return same_site(a, b) && same_text(a.operation, b.operation);
}

std::string place_of(const Lane& lane) {
  return place(Site{lane.file, lane.line, lane.column});
}

}  // namespace

uint64_t Worker::random() {
  return random_ = mix(random_);
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

// Each of these lanes until it waits or is done, one after the other.
void Worker::run_chain(const std::vector<unsigned>& lanes) {
  for (size_t i = 0; i + 1 < lanes.size(); ++i) {
    lanes_[lanes[i]].next = static_cast<unsigned short>(lanes[i + 1]);
  }
  lanes_[lanes.back()].next = mpsops_msl::kScheduler;
  mpsops_switch(scheduler_, &lanes_[lanes[0]]);
}

// What the lanes of `mask` wait for, which is the same for them all.
void Worker::combine(const Lane& leader, unsigned simdgroup, unsigned mask) {
  if (leader.combine == nullptr) {
    races_.simdgroup_barrier(simdgroup, leader.memory_flags);
  } else {
    auto& exchange = stacks_.group()->exchanges[simdgroup];
    leader.combine(exchange.values, exchange.results, mask);
  }
}

// All waiting lanes of [first, last) are at a simdgroup function, or at a barrier or done.
bool Worker::meet(unsigned first, unsigned last) {
  unsigned mask = 0;
  const Lane* leader = nullptr;
  for (unsigned i = first; i < last; ++i) {
    const Lane& lane = lanes_[i];
    if (lane.state != State::kSimdgroup) {
      continue;
    }
    if (leader == nullptr) {
      leader = &lane;
    } else if (!same_operation(lane, *leader)) {
      std::vector<unsigned> here;
      std::vector<unsigned> there;
      for (unsigned j = first; j < last; ++j) {
        if (lanes_[j].state == State::kSimdgroup) {
          (same_operation(lanes_[j], *leader) ? here : there).push_back(j);
        }
      }
      error_ =
          c10::str("kernel '", work_->code.row->name, "', threadgroup ",
                   position(stacks_.group()->first.group), ", simdgroup ", first / kSimdgroupSize,
                   ": its lanes meet in different operations: threads ", ranges(here), " in ",
                   leader->operation, " at ", place_of(*leader), ", threads ", ranges(there),
                   " in ", lane.operation, " at ", place_of(lane));
      return false;
    }
    mask |= 1u << (i - first);
  }
  combine(*leader, first / kSimdgroupSize, mask);
  for (unsigned i = first; i < last; ++i) {
    if (lanes_[i].state == State::kSimdgroup) {
      lanes_[i].state = State::kReady;
    }
  }
  return true;
}

// Lanes [first, last), all ready and chained, as long as they wait for the same. False when they no
// longer do; true when all are done or at one barrier.
bool Worker::advance_together(unsigned first, unsigned last) {
  const Lane& leader = lanes_[first];
  while (true) {
    mpsops_switch(scheduler_, &leader);
    if (!error_.empty()) {
      return false;
    }
    for (unsigned i = first; i < last; ++i) {
      const Lane& lane = lanes_[i];
      if (lane.state != leader.state ||
          (lane.state != State::kDone && !same_operation(lane, leader))) {
        return false;
      }
    }
    if (leader.state != State::kSimdgroup) {
      return true;
    }
    combine(leader, first / kSimdgroupSize,
            static_cast<unsigned>((uint64_t{1} << (last - first)) - 1));
  }
}

// The group as long as all its lanes take the same way, which spares the search for those that can
// go on. False when they part; then every lane's state is what it is.
bool Worker::run_together() {
  while (true) {
    for (unsigned first = 0; first < count_; first += kSimdgroupSize) {
      const unsigned last = std::min(first + kSimdgroupSize, count_);
      if (!advance_together(first, last)) {
        for (unsigned i = last; i < count_; ++i) {
          lanes_[i].state = State::kReady;
        }
        return false;
      }
    }
    for (unsigned first = 0; first < count_; first += kSimdgroupSize) {
      if (lanes_[first].state != lanes_[0].state ||
          (lanes_[0].state == State::kBarrier && !same_site(lanes_[first], lanes_[0]))) {
        return false;
      }
    }
    if (lanes_[0].state == State::kDone) {
      return true;
    }
    races_.threadgroup_barrier(lanes_[0].memory_flags);
  }
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
    run_chain(lane_order_);
    if (!error_.empty()) {
      return false;
    }
  }
}

// Nothing can move. True when all threads are at one barrier, which then opens.
bool Worker::open_barrier() {
  if (std::all_of(lanes_, lanes_ + count_, [&](const Lane& lane) {
        return lane.state == State::kBarrier && same_site(lane, lanes_[0]);
      })) {
    races_.threadgroup_barrier(lanes_[0].memory_flags);
    for (unsigned i = 0; i < count_; ++i) {
      lanes_[i].state = State::kReady;
    }
    return true;
  }
  std::vector<unsigned> done;
  std::vector<std::pair<const Lane*, std::vector<unsigned>>> waiting;
  for (unsigned i = 0; i < count_; ++i) {
    if (lanes_[i].state == State::kDone) {
      done.push_back(i);
      continue;
    }
    auto found = std::find_if(waiting.begin(), waiting.end(), [&](const auto& entry) {
      return same_site(*entry.first, lanes_[i]);
    });
    if (found == waiting.end()) {
      found = waiting.insert(waiting.end(), {&lanes_[i], {}});
    }
    found->second.push_back(i);
  }
  const auto where = c10::str("kernel '", work_->code.row->name, "', threadgroup ",
                              position(stacks_.group()->first.group), ": ");
  if (waiting.size() == 1) {
    error_ = c10::str(where, "the threadgroup_barrier at ", place_of(*waiting[0].first),
                      " is never reached by all: threads ", ranges(waiting[0].second),
                      " wait there, threads ", ranges(done), " have returned");
  } else {
    error_ = c10::str(where, "threads wait at different barriers:");
    for (size_t i = 0; i < waiting.size(); ++i) {
      error_ += c10::str(i == 0 ? " threads " : ", threads ", ranges(waiting[i].second), " at ",
                         place_of(*waiting[i].first));
    }
    if (!done.empty()) {
      error_ += c10::str("; threads ", ranges(done), " have returned");
    }
  }
  return false;
}

Extent Worker::group_at(uint64_t group) const {
  const Extent& groups = work_->launch.groups;
  return {static_cast<unsigned>(group % groups.x),
          static_cast<unsigned>(group / groups.x % groups.y),
          static_cast<unsigned>(group / groups.x / groups.y)};
}

// Groups at the edges of the grid may be smaller.
Extent Worker::group_size(Extent group) const {
  const auto extent = [](unsigned size, unsigned grid, unsigned position) {
    return static_cast<unsigned>(std::min<uint64_t>(size, grid - uint64_t{position} * size));
  };
  const auto& launch = work_->launch;
  return {extent(launch.group_size.x, launch.grid.x, group.x),
          extent(launch.group_size.y, launch.grid.y, group.y),
          extent(launch.group_size.z, launch.grid.z, group.z)};
}

void Worker::start_group(uint64_t group) {
  const auto& launch = work_->launch;
  const Extent at = group_at(group);
  const Extent size = group_size(at);
  progress_.fetch_add(1, std::memory_order_relaxed);
  races_.start_group();
  count_ = size.x * size.y * size.z;
  arena_ = arena_storage_.get() + (256 - reinterpret_cast<uintptr_t>(arena_storage_.get()) % 256);
  variables_.clear();
  std::fill_n(stacks_.group()->variables, mpsops_msl::kKnownVariables, mpsops_msl::KnownVariable{});
  known_ = 0;
  arena_used_ = kThreadgroupGap;
  arena_charged_ = 0;
  for (const auto& dynamic : work_->threadgroup_arguments) {
    variables_.push_back(
        {dynamic.parameter, arena_ + dynamic.offset, dynamic.size, dynamic.parameter->name});
    poison(arena_ + dynamic.offset, dynamic.size);
    initialised_.forget(dynamic.offset, dynamic.size);
    arena_used_ = dynamic.offset + dynamic.size + kThreadgroupGap;
    arena_charged_ += dynamic.size;
  }
  const Extent first{at.x * launch.group_size.x, at.y * launch.group_size.y,
                     at.z * launch.group_size.z};
  stacks_.group()->first = {at, size, {0, 0, 0}, first, 0, reinterpret_cast<char*>(arena_)};
  stacks_.prepare(count_, work_->code.row->entry);
  for (unsigned i = 0; i < count_; ++i) {
    lanes_[i].state = State::kReady;
    const bool last = (i + 1) % kSimdgroupSize == 0 || i + 1 == count_;
    lanes_[i].next = static_cast<unsigned short>(last ? unsigned{mpsops_msl::kScheduler} : i + 1);
  }
}

std::string Worker::run_group(uint64_t group) {
  start_group(group);
  if (work_->schedule.order == Schedule::Order::kForward && (run_together() || !error_.empty())) {
    return std::move(error_);
  }
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
    const bool all_done = std::all_of(lanes_, lanes_ + count_,
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
  progress_.fetch_add(1, std::memory_order_relaxed);
  races_.start_group();
  loop_begin_ = begin;
  loop_end_ = end;
  stacks_.prepare(1, &Worker::loop_entry);
  lanes_[0].next = mpsops_msl::kNoLane;
  mpsops_switch(scheduler_, &lanes_[0]);
  return std::move(error_);
}

std::string Worker::run(const Work& work, uint64_t begin, uint64_t end) {
  work_ = &work;
  error_.clear();
  doubt_.kind = Doubt::Kind::kNone;
  atomic_ = nullptr;
  races_.start_dispatch();
  expired_ = false;
  const KernelSignals signals(*this);
  const Watch watch(*this, work.time_limit);
  variables_.clear();
  looping_ = false;
  hits_[0] = hits_[1] = {};
  stacks_.group()->launch = &work.launch;
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

}  // namespace mpsops::sim
