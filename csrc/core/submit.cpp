// What every runtime may rely on. Metal itself aborts the process or silently computes garbage.
#include "csrc/core/kernel.h"

namespace mpsops::detail {

namespace {

constexpr uint64_t kMaxThreadsPerAxis = uint64_t{1} << 32;  // positions in the grid are 32-bit
constexpr uint32_t kMaxBuffers = 31;
constexpr uint64_t kMaxThreadgroupMemory = 32768;  // of every Apple GPU since M1

uint64_t volume(const Size& size) {
  return uint64_t{size.x} * size.y * size.z;
}

bool is_empty(const Size& size) {
  return size.x == 0 || size.y == 0 || size.z == 0;
}

void check_axis(const Kernel& kernel, uint64_t groups, uint64_t threads) {
  TORCH_CHECK(groups * threads <= kMaxThreadsPerAxis, kernel.name(),
              ": grid must have at most 2^32 threads along each axis, got ", groups,
              " threadgroups of ", threads);
}

void check_grid(const Kernel& kernel, const Grid& grid) {
  const auto limit = kernel.max_total_threads_per_threadgroup();
  const Size& group = grid.group;
  // Each axis alone first, so that the product cannot overflow.
  const bool fits = !is_empty(group) && group.x <= limit && group.y <= limit && group.z <= limit &&
                    volume(group) <= limit;
  TORCH_CHECK(fits, kernel.name(), ": threadgroup must have 1 to ", limit, " threads, got ",
              group.x, " x ", group.y, " x ", group.z);
  if (grid.unit == Grid::Unit::kThreadgroups) {
    check_axis(kernel, grid.count.x, group.x);
    check_axis(kernel, grid.count.y, group.y);
    check_axis(kernel, grid.count.z, group.z);
  }
}

void check_arguments(const Kernel& kernel, const Dispatch& dispatch) {
  uint32_t buffers = 0;
  uint64_t memory = kernel.static_threadgroup_memory_length();
  for (const auto& argument : dispatch.arguments) {
    if (argument.kind == Argument::Kind::kThreadgroupMemory) {
      memory += argument.size;
      continue;
    }
    if (argument.kind == Argument::Kind::kTensor) {
      const at::Tensor& tensor = *argument.tensor;
      TORCH_CHECK(tensor.device().type() == kDeviceType && tensor.has_storage(), kernel.name(),
                  ": buffer ", buffers, " must be a dense tensor on ",
                  c10::DeviceTypeName(kDeviceType, true), ", got a ", tensor.layout(),
                  " tensor on ", tensor.device());
    }
    ++buffers;
  }
  TORCH_CHECK(buffers <= kMaxBuffers, kernel.name(), ": arguments must be at most ", kMaxBuffers,
              " buffers, got ", buffers);
  TORCH_CHECK(memory <= kMaxThreadgroupMemory, kernel.name(),
              ": threadgroup memory must be at most ", kMaxThreadgroupMemory, " bytes, got ",
              memory);
}

}  // namespace

void submit(const Dispatch* dispatches, size_t count) {
  bool any_empty = false;
  for (size_t i = 0; i < count; ++i) {
    any_empty = any_empty || is_empty(dispatches[i].grid.count);
  }
  if (any_empty) {
    for (size_t i = 0; i < count; ++i) {
      if (!is_empty(dispatches[i].grid.count)) {
        submit(&dispatches[i], 1);
      }
    }
    return;
  }
  if (count == 0) {
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    check_grid(*dispatches[i].kernel, dispatches[i].grid);
    check_arguments(*dispatches[i].kernel, dispatches[i]);
  }
  count_dispatches(count);
  encode(dispatches, count);
}

}  // namespace mpsops::detail
