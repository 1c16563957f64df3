// Which memory the threads of a group may touch, and what is said when they touch other memory.
#include <c10/util/StringUtil.h>

#include <algorithm>
#include <utility>

#include "csrc/sim/exec/source_lines.h"
#include "csrc/sim/exec/worker.h"

namespace mpsops::sim {

const char* name_of(Access kind) {
  return kind == Access::kStore ? "store" : "load";
}

std::string position(const Extent& e) {
  return c10::str('(', e.x, ", ", e.y, ", ", e.z, ')');
}

std::string place(const Site& site) {
  return c10::str(site.file, ':', site.line);
}

void* Worker::threadgroup_variable(const void* tag, size_t size, size_t alignment, const char* name,
                                   Site site) {
  for (const auto& variable : variables_) {
    if (variable.tag == tag) {
      return variable.begin;
    }
  }
  alignment = std::max<size_t>(alignment, 16);
  const size_t charged = (arena_charged_ + alignment - 1) / alignment * alignment + size;
  if (charged > kThreadgroupMemory) {
    fail(c10::str("threadgroup memory must be at most ", kThreadgroupMemory, " bytes, got ",
                  charged, " with '", name, "' at ", place(site)));
  }
  const uint32_t offset = (arena_used_ + 63) / 64 * 64;
  arena_charged_ = static_cast<uint32_t>(charged);
  arena_used_ = static_cast<uint32_t>(offset + size + kThreadgroupGap);
  auto* known = stacks_.group()->variables;
  if (known_ < mpsops_msl::kKnownVariables) {
    known[known_++] = {tag, arena_ + offset};
  }
  variables_.push_back({tag, arena_ + offset, size, name});
  poison(arena_ + offset, size);
  initialised_.forget(offset, size);
  return arena_ + offset;
}

void Worker::look_up(const std::byte* first, const std::byte* last, Access kind, const void* from) {
  if (expired_.load(std::memory_order_relaxed)) {
    hang(line_of(from));
  }
  settle(first, last, kind);
  if (first >= arena_ && last <= arena_ + kArena) {
    threadgroup_access(first, last, kind, from);
    return;
  }
  const bool atomic = first == std::exchange(atomic_, nullptr);
  const bool store = kind == Access::kStore;
  for (const auto& binding : work_->bindings) {
    const auto* begin = store ? binding.store_begin : binding.begin;
    const auto* end = store ? binding.store_end : binding.end;
    if (first >= begin && last <= end) {
      if (work_->races == RaceCheck::kOff) {
        hits_[static_cast<size_t>(kind)] = {begin, end};
      } else {
        check_race(first, last - first, kind, atomic, Space::kDevice, from);
      }
      return;
    }
  }
  const auto& table = work_->code.library->table();
  if (!store && first >= static_cast<const std::byte*>(table.image_begin) &&
      last <= static_cast<const std::byte*>(table.image_end)) {
    return;
  }
  fail(c10::str(describe_access(first, last, kind), ", at ", line_of(from)));
}

void Worker::threadgroup_access(const std::byte* first, const std::byte* last, Access kind,
                                const void* from) {
  const bool atomic = first == std::exchange(atomic_, nullptr);
  const auto size = static_cast<size_t>(last - first);
  const Variable* variable = variable_at(first, last);
  if (variable == nullptr) {
    fail(c10::str(describe_access(first, last, kind), ", at ", line_of(from)));
  }
  if (kind == Access::kLoad || (atomic && atomic_modifies_)) {
    check_initialised(*variable, first, size, atomic, from);
  }
  if (kind == Access::kStore) {
    initialised_.store(static_cast<size_t>(first - arena_), size);
  }
  if (work_->races != RaceCheck::kOff) {
    check_race(first, size, kind, atomic, Space::kThreadgroup, from);
  }
}

void Worker::misaligned(const void* address, size_t size, Access kind, const void* from) {
  const auto* first = static_cast<const std::byte*>(address);
  const auto off = reinterpret_cast<uintptr_t>(first) % size;
  fail(c10::str("misaligned ", name_of(kind), " of ", size, " bytes at ",
                describe_place(first, first + size), ", at ", line_of(from),
                ": the address must be a multiple of ", size, ", it is ", off, " above one"));
}

const Variable* Worker::variable_at(const std::byte* first, const std::byte* last) const {
  for (const auto& variable : variables_) {
    if (first >= variable.begin && last <= variable.begin + variable.size) {
      return &variable;
    }
  }
  return nullptr;
}

const Binding* Worker::binding_at(const std::byte* first, const std::byte* last) const {
  for (const auto& binding : work_->bindings) {
    if (first >= binding.begin && last <= binding.end) {
      return &binding;
    }
  }
  return nullptr;
}

// Of memory that the kernel has.
std::string Worker::describe_place(const std::byte* first, const std::byte* last) const {
  if (const Variable* variable = variable_at(first, last)) {
    return c10::str("byte ", first - variable->begin, " of threadgroup variable '", variable->name,
                    "'");
  }
  const Binding* binding = binding_at(first, last);
  if (binding == nullptr) {
    return "the thread's own memory";
  }
  const auto& parameter = *binding->parameter;
  const auto offset = first - binding->address;
  const auto name =
      c10::str("byte ", offset, " of buffer ", parameter.index, " '", parameter.name, "'");
  const auto element_size = static_cast<ptrdiff_t>(std::max(parameter.element_size, 1u));
  return offset % element_size == 0 ? c10::str("element ", offset / element_size, " (", name, ")")
                                    : name;
}

// Of memory that it has not.
std::string Worker::describe_access(const std::byte* first, const std::byte* last,
                                    Access kind) const {
  const auto access = c10::str(name_of(kind), " of ", last - first, " bytes");
  const Binding* nearest = nullptr;
  uint64_t distance = 0;
  for (const auto& binding : work_->bindings) {
    const auto low = reinterpret_cast<uintptr_t>(binding.address);
    const auto high = reinterpret_cast<uintptr_t>(binding.end);
    const auto at = reinterpret_cast<uintptr_t>(first);
    const uint64_t d = at < low ? low - at : at > high ? at - high : 0;
    if (nearest == nullptr || d < distance) {
      nearest = &binding;
      distance = d;
    }
  }
  for (const auto& variable : variables_) {
    if (first >= variable.begin - kThreadgroupGap &&
        first < variable.begin + variable.size + kThreadgroupGap) {
      return c10::str("out-of-bounds ", access, " at byte ", first - variable.begin,
                      " of threadgroup variable '", variable.name, "', which has ", variable.size,
                      " bytes");
    }
  }
  if (nearest == nullptr) {
    return c10::str("out-of-bounds ", access, ": the kernel has no buffers");
  }
  const auto& parameter = *nearest->parameter;
  const auto name = c10::str("buffer ", parameter.index, " '", parameter.name, "'");
  if (nearest->begin == nearest->end) {
    return c10::str("out-of-bounds ", access, ": ", name, " is empty or not bound");
  }
  const auto offset = first - nearest->address;
  if (first >= nearest->begin && last <= nearest->end && parameter.read_only) {
    return c10::str(access, " at byte ", offset, " of ", name, ", which is read-only");
  }
  // Loads may go anywhere in the storage, stores only to the tensor itself.
  const auto* end =
      kind == Access::kStore && nearest->store_end != nullptr ? nearest->store_end : nearest->end;
  const auto element_size = static_cast<ptrdiff_t>(std::max(parameter.element_size, 1u));
  const auto index =
      offset >= 0 ? offset / element_size : -((element_size - 1 - offset) / element_size);
  return c10::str("out-of-bounds ", access, " at element ", index, " (byte ", offset, ") of ", name,
                  ", which has ", (end - nearest->address) / element_size, " elements (",
                  end - nearest->address, " bytes)");
}

std::string Worker::who() const {
  const Thread thread = current_thread();
  return c10::str("kernel '", work_->code.row->name, "', thread ", position(thread.in_grid),
                  " of the grid, thread ", position(thread.position), " of threadgroup ",
                  position(thread.group));
}

}  // namespace mpsops::sim
