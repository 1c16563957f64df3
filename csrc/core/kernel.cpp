#include "csrc/core/kernel.h"

#include <algorithm>

namespace mpsops {

namespace {

constexpr int64_t kMaxPerAxis = int64_t{1} << 31;

// Splits `count` over x and y, with at most `per_row` along x.
Size split(int64_t count, int64_t per_row) {
  TORCH_CHECK(count >= 0 && count / per_row < kMaxPerAxis,
              "mpsops: grid must have 0 to 2^62 threads, got ", count);
  if (count <= per_row) {
    return {static_cast<uint32_t>(count), 1, 1};
  }
  const int64_t rows = (count + per_row - 1) / per_row;
  return {static_cast<uint32_t>(per_row), static_cast<uint32_t>(rows), 1};
}

}  // namespace

std::string_view dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return "float32";
    case at::kHalf:
      return "float16";
    case at::kBFloat16:
      return "bfloat16";
    case at::kComplexFloat:
      return "complex64";
    case at::kComplexHalf:
      return "complex32";
    case at::kLong:
      return "int64";
    case at::kInt:
      return "int32";
    case at::kShort:
      return "int16";
    case at::kChar:
      return "int8";
    case at::kByte:
      return "uint8";
    case at::kUInt16:
      return "uint16";
    case at::kUInt32:
      return "uint32";
    case at::kUInt64:
      return "uint64";
    case at::kBool:
      return "bool";
    default:
      TORCH_CHECK(false, "mpsops: no Metal type for ", dtype);
  }
}

std::string kernel_name(std::string_view stem, std::initializer_list<at::ScalarType> dtypes) {
  std::string name(stem);
  for (const auto dtype : dtypes) {
    name += '_';
    name += dtype_name(dtype);
  }
  return name;
}

Grid grid_for(const Kernel& kernel, int64_t count) {
  const uint32_t group = std::min<uint32_t>(kernel.max_total_threads_per_threadgroup(), 256);
  return {Grid::Unit::kThreads, split(count, kMaxPerAxis), {group, 1, 1}};
}

Grid groups_for(int64_t groups, uint32_t threads_per_group) {
  // Threads are what an axis counts in 32 bits, also for a grid given in groups.
  return {Grid::Unit::kThreadgroups,
          split(groups, kMaxPerAxis / threads_per_group),
          {threads_per_group, 1, 1}};
}

}  // namespace mpsops
