#include "csrc/sim/exec/races.h"

#include "csrc/sim/msl/mpsops_abi.h"

namespace mpsops::sim {

namespace {

using mpsops_msl::kSimdgroupSize;

constexpr size_t index_of(Space space) {
  return static_cast<size_t>(space);
}

bool same_thread(const Trace& a, const Trace& b) {
  return a.group == b.group && a.lane == b.lane;
}

bool conflict(const Trace& earlier, const Trace& now) {
  if (!earlier.known || !(earlier.store || now.store) || (earlier.atomic && now.atomic)) {
    return false;
  }
  if (earlier.group != now.group) {
    return true;
  }
  if (earlier.lane == now.lane || earlier.ordered != now.ordered) {
    return false;
  }
  return earlier.lane / kSimdgroupSize != now.lane / kSimdgroupSize ||
         earlier.simd_ordered == now.simd_ordered;
}

// A plain access conflicts with more than an atomic one: the atomic one does not displace it.
void keep(Trace& slot, const Trace& trace) {
  if (trace.known && (!slot.known || slot.atomic || !trace.atomic)) {
    slot = trace;
  }
}

void push(std::array<Trace, 2>& slots, const Trace& now) {
  if (slots[0].known && same_thread(slots[0], now)) {
    if (slots[0].ordered == now.ordered && slots[0].simd_ordered == now.simd_ordered) {
      keep(slots[0], now);
    } else {
      slots[0] = now;
    }
    return;
  }
  slots[1] = slots[0];
  slots[0] = now;
}

}  // namespace

void RaceDetector::start_dispatch() {
  pages_.clear();
  last_page_ = nullptr;
}

void RaceDetector::start_group() {
  barriers_ = 0;
  ordered_ = {};
  simd_ordered_ = {};
}

void RaceDetector::threadgroup_barrier(unsigned memory_flags) {
  ++barriers_;
  ordered_[index_of(Space::kDevice)] += (memory_flags & mpsops_msl::kOrdersDevice) != 0;
  ordered_[index_of(Space::kThreadgroup)] += (memory_flags & mpsops_msl::kOrdersThreadgroup) != 0;
}

void RaceDetector::simdgroup_barrier(unsigned simdgroup, unsigned memory_flags) {
  auto& ordered = simd_ordered_[simdgroup];
  ordered[index_of(Space::kDevice)] += (memory_flags & mpsops_msl::kOrdersDevice) != 0;
  ordered[index_of(Space::kThreadgroup)] += (memory_flags & mpsops_msl::kOrdersThreadgroup) != 0;
}

void RaceDetector::Page::split() {
  std::vector<Cell> bytes(kPage);
  for (size_t i = 0; i < kPage; ++i) {
    bytes[i] = cells[i / grain];
  }
  cells = std::move(bytes);
  grain = 1;
}

RaceDetector::Page& RaceDetector::page(uintptr_t number) {
  if (last_page_ == nullptr || number != last_number_) {
    auto& found = pages_[number];
    if (found == nullptr) {
      found = std::make_unique<Page>();
    }
    last_number_ = number;
    last_page_ = found.get();
  }
  return *last_page_;
}

std::optional<Trace> RaceDetector::visit(Cell& cell, const Trace& now, Space space) {
  if (const Trace& last = cell.loads[0].known ? cell.loads[0] : cell.stores[0];
      last.known && last.group != now.group) {
    // Threadgroup memory of another group is other memory at the same address.
    if (space == Space::kThreadgroup) {
      cell = {};
    } else {
      for (auto& trace : cell.loads) {
        keep(cell.earlier_load, trace);
        trace = {};
      }
      for (auto& trace : cell.stores) {
        keep(cell.earlier_store, trace);
        trace = {};
      }
    }
  }
  std::optional<Trace> found;
  for (const Trace* earlier : {&cell.stores[0], &cell.stores[1], &cell.loads[0], &cell.loads[1],
                               &cell.earlier_store, &cell.earlier_load}) {
    if (conflict(*earlier, now)) {
      found = *earlier;
      break;
    }
  }
  push(now.store ? cell.stores : cell.loads, now);
  return found;
}

std::optional<Trace> RaceDetector::access(const std::byte* first, size_t size, Space space,
                                          Trace now) {
  now.known = true;
  now.barriers = barriers_;
  now.ordered = ordered_[index_of(space)];
  now.simd_ordered = simd_ordered_[now.lane / kSimdgroupSize][index_of(space)];
  const auto begin = reinterpret_cast<uintptr_t>(first);
  const bool words = begin % kWord == 0 && size % kWord == 0;
  std::optional<Trace> found;
  for (uintptr_t at = begin; at < begin + size;) {
    Page& shadow = page(at / kPage);
    if (!words && shadow.grain == kWord) {
      shadow.split();
    }
    auto conflicting = visit(shadow.cells[at % kPage / shadow.grain], now, space);
    if (!found.has_value()) {
      found = conflicting;
    }
    at += shadow.grain;
  }
  return found;
}

}  // namespace mpsops::sim
