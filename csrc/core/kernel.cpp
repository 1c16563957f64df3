#include "csrc/core/kernel.h"

#include <algorithm>

namespace mpsops {

namespace {

constexpr int64_t kMaxPerAxis = int64_t{1} << 31;

// Splits `count` over x and y; x is the largest axis that Metal indexes without truncation.
Size split(int64_t count) {
  if (count <= kMaxPerAxis) {
    return {static_cast<uint32_t>(count), 1, 1};
  }
  const int64_t rows = (count + kMaxPerAxis - 1) / kMaxPerAxis;
  TORCH_CHECK(rows <= kMaxPerAxis, "mpsops: grid must have at most 2^62 elements, got ", count);
  return {static_cast<uint32_t>(kMaxPerAxis), static_cast<uint32_t>(rows), 1};
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
  return {Grid::Unit::kThreads, split(count), {group, 1, 1}};
}

Grid groups_for(int64_t groups, uint32_t threads_per_group) {
  return {Grid::Unit::kThreadgroups, split(groups), {threads_per_group, 1, 1}};
}

}  // namespace mpsops
