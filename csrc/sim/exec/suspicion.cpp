// Accesses within bounds that are wrong all the same: of uninitialised threadgroup memory, and such
// as race.
#include <c10/util/StringUtil.h>

#include <cstring>

#include "csrc/sim/exec/source_lines.h"
#include "csrc/sim/exec/worker.h"

namespace mpsops::sim {

void Worker::check_initialised(const Variable& variable, const std::byte* first, size_t size,
                               bool atomic, const void* from) {
  const size_t stored = initialised_.count(static_cast<size_t>(first - arena_), size);
  if (stored == size) {
    return;
  }
  // clang loads three components as four.
  const bool vector = size == 4 || size == 8 || size == 16 || size == 32;
  if (!atomic && vector && stored == size / 4 * 3) {
    return;
  }
  auto error = c10::str(who(), ": load of ", size, " bytes at byte ", first - variable.begin,
                        " of threadgroup variable '", variable.name, "', at ", line_of(from),
                        ": no thread of the group has stored to ",
                        stored == 0 ? "it" : c10::str("byte ", first - variable.begin + stored),
                        " before (is a barrier missing?)");
  // clang stores some components of a vector by loading and storing all.
  if (!atomic && size >= 8) {
    suspect(Doubt::Kind::kPartialStore, first, size, std::move(error));
  } else {
    stop(std::move(error));
  }
}

void Worker::check_race(const std::byte* first, size_t size, Access kind, bool atomic, Space space,
                        const void* from) {
  const Thread thread = current_thread();
  const auto& groups = work_->launch.groups;
  const auto& table = work_->code.library->table();
  const auto* image = static_cast<const std::byte*>(table.image_begin);
  Trace now;
  now.group = (thread.group.z * groups.y + thread.group.y) * groups.x + thread.group.x;
  now.site = static_cast<uint32_t>(static_cast<const std::byte*>(from) - image);
  now.lane = static_cast<uint16_t>(thread.index);
  now.store = kind == Access::kStore;
  now.atomic = atomic;
  const auto earlier = races_.access(first, size, space, now);
  if (!earlier.has_value()) {
    return;
  }
  const auto describe = [](bool is_atomic, bool store) {
    return c10::str(is_atomic ? "atomic " : "", name_of(store ? Access::kStore : Access::kLoad));
  };
  const bool same_group = earlier->group == now.group;
  const Extent group = group_at(earlier->group);
  const Extent extent = group_size(group);
  const unsigned lane = earlier->lane;
  const Extent in_group = mpsops_msl::unravel(lane, extent);
  const char* memory = space == Space::kDevice ? "device" : "threadgroup";
  std::string reason;
  if (!same_group) {
    reason = "nothing orders the threadgroups of a dispatch";
  } else if (races_.met_since(*earlier)) {
    reason = c10::str("the barrier between them does not order ", memory,
                      " memory: it needs mem_flags::mem_", memory);
  } else {
    reason = "no threadgroup_barrier lies between them";
  }
  auto error =
      c10::str(who(), ": data race: ", describe(atomic, now.store), " of ", size, " bytes at ",
               describe_place(first, first + size), ", at ", line_of(from),
               earlier->atomic ? ", after an " : ", after a ",
               describe(earlier->atomic, earlier->store), " by thread ", position(in_group), " of ",
               same_group ? "the same threadgroup" : "threadgroup " + position(group), ", at ",
               line_of(image + earlier->site), ": ", reason);
  if (work_->races == RaceCheck::kUnequal && earlier->store && now.store && !earlier->atomic &&
      !now.atomic) {
    suspect(Doubt::Kind::kEqualStore, first, size, std::move(error));
  } else {
    stop(std::move(error));
  }
}

void Worker::suspect(Doubt::Kind kind, const std::byte* first, size_t size, std::string error) {
  doubt_.kind = kind;
  doubt_.stored = false;
  doubt_.first = const_cast<std::byte*>(first);
  doubt_.before.assign(first, first + size);
  doubt_.error = std::move(error);
  hits_[0] = hits_[1] = {};  // so that the next access is seen
}

void Worker::judge(const std::byte* first, const std::byte* last, Access kind) {
  const auto size = static_cast<ptrdiff_t>(doubt_.before.size());
  bool guilty = false;
  if (doubt_.kind == Doubt::Kind::kEqualStore) {
    guilty = std::memcmp(doubt_.first, doubt_.before.data(), doubt_.before.size()) != 0;
  } else if (!doubt_.stored) {
    guilty = !(kind == Access::kStore && first == doubt_.first && last - first == size);
    if (!guilty) {
      doubt_.stored = true;
      return;
    }
  } else {
    // Some components became others, and some did not: what was loaded of these was stored again
    // only.
    constexpr ptrdiff_t kSmallest = 2;
    ptrdiff_t same = 0;
    for (ptrdiff_t i = 0; i < size; i += kSmallest) {
      same +=
          std::memcmp(doubt_.first + i, doubt_.before.data() + i, kSmallest) == 0 ? kSmallest : 0;
    }
    guilty = same == 0 || same == size;
  }
  doubt_.kind = Doubt::Kind::kNone;
  if (guilty) {
    stop(std::move(doubt_.error));
  }
}

}  // namespace mpsops::sim
