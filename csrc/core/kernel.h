// The seam. Everything above it is one code base; each runtime (csrc/metal, csrc/sim, csrc/cuda)
// defines get_kernel() and encode(), and says which of torch's devices it runs on.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/SmallVector.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace mpsops {

// MPS, but for the runtime that checks kernels on NVIDIA GPUs.
extern const c10::DeviceType kDeviceType;

// Threads or threadgroups along x, y, z, as in MTLSize.
struct Size {
  uint32_t x = 1;
  uint32_t y = 1;
  uint32_t z = 1;
};

// A compiled kernel: owned by the runtime, cached for the life of the process, never null.
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual const std::string& name() const = 0;
  virtual uint32_t max_total_threads_per_threadgroup() const = 0;
  // Threadgroup memory that the kernel declares itself, in bytes; ThreadgroupMemory comes on top.
  virtual uint32_t static_threadgroup_memory_length() const { return 0; }
};

// The kernel `name` of metal/<family>.metal. Compiles or loads the family on first use.
// Throws c10::Error with the compiler's text if it does not compile or has no such kernel.
const Kernel& get_kernel(std::string_view family, std::string_view name);

// Dynamic threadgroup memory for the argument `[[threadgroup(n)]]`; n counts these alone, from 0.
struct ThreadgroupMemory {
  uint32_t bytes;
};

// What a dispatch runs over. `threads` need not be a multiple of the group (dispatchThreads).
struct Grid {
  enum class Unit : uint8_t { kThreads, kThreadgroups };
  Unit unit;
  Size count;
  Size group;
};

// One value bound to the next buffer index, in the order of the kernel's parameters.
struct Argument {
  enum class Kind : uint8_t { kTensor, kNone, kBytes, kThreadgroupMemory };
  Kind kind;
  const at::Tensor* tensor = nullptr;  // kTensor: bound at its storage offset
  std::array<std::byte, 48> small{};   // kBytes up to 48 bytes
  const void* large = nullptr;         // kBytes above: lives until encode() returns
  uint32_t size = 0;                   // kBytes, kThreadgroupMemory: bytes

  const void* bytes() const { return large != nullptr ? large : small.data(); }
};

struct Dispatch {
  const Kernel* kernel;
  Grid grid;
  c10::SmallVector<Argument, 8> arguments;
};

// Encodes the dispatches in order on the current stream. Each sees the writes of those before it.
// Nothing is committed or waited for. Called by detail::submit() only, which has checked them:
// grids are not empty, groups fit the kernel, tensors are on mps.
void encode(const Dispatch* dispatches, size_t count);

namespace detail {

inline Argument make_argument(const at::Tensor& tensor) {
  Argument argument{tensor.defined() ? Argument::Kind::kTensor : Argument::Kind::kNone};
  argument.tensor = &tensor;
  return argument;
}

inline Argument make_argument(const ThreadgroupMemory& memory) {
  Argument argument{Argument::Kind::kThreadgroupMemory};
  argument.size = (memory.bytes + 15) / 16 * 16;  // setThreadgroupMemoryLength takes whole 16 bytes
  return argument;
}

template <class T>
requires(std::is_trivially_copyable_v<T>) Argument make_argument(const T& value) {
  static_assert(sizeof(T) <= 4096, "setBytes takes at most 4 KiB");
  static_assert(!std::is_same_v<T, double>, "Metal has no double");
  static_assert(!std::is_pointer_v<T> && !std::is_same_v<T, at::IntArrayRef>,
                "pass the values, in an array or a struct");
  Argument argument{Argument::Kind::kBytes};
  argument.size = sizeof(T);
  if constexpr (sizeof(T) <= sizeof(argument.small)) {
    std::memcpy(argument.small.data(), &value, sizeof(T));
  } else {
    argument.large = &value;
  }
  return argument;
}

void count_dispatches(size_t count);  // registry.cpp: adds to the op that is running

// Leaves out the dispatches over nothing, checks the others (submit.cpp), counts and encodes them.
void submit(const Dispatch* dispatches, size_t count);

}  // namespace detail

// Arguments bind by position: tensors (an undefined one binds nothing), scalars, params structs,
// ThreadgroupMemory. Temporaries must outlive submission, hence lvalues or inline values only.
template <class... Args>
Dispatch make_dispatch(const Kernel& kernel, const Grid& grid, const Args&... args) {
  Dispatch dispatch{&kernel, grid, {}};
  (dispatch.arguments.push_back(detail::make_argument(args)), ...);
  return dispatch;
}

// One kernel, one dispatch.
template <class... Args>
void launch(const Kernel& kernel, const Grid& grid, const Args&... args) {
  const Dispatch dispatch = make_dispatch(kernel, grid, args...);
  detail::submit(&dispatch, 1);
}

// Several dispatches in one encoding: launch_all({make_dispatch(...), make_dispatch(...)}).
inline void launch_all(std::initializer_list<Dispatch> dispatches) {
  detail::submit(dispatches.begin(), dispatches.size());
}

// torch's name of a dtype that Metal can hold: "float32", "bfloat16", "bool".
std::string_view dtype_name(at::ScalarType dtype);

// "<stem>_<dtype>[_<dtype>...]" with torch's dtype names: the one place that spells kernel names.
std::string kernel_name(std::string_view stem, std::initializer_list<at::ScalarType> dtypes);

// A grid for `count` independent elements, one thread each. Metal's positions are 32-bit per axis,
// so it is 2-D above 2^31: kernels recover the index with linear_index() of metal/common/index.h
// and return when it is >= count.
Grid grid_for(const Kernel& kernel, int64_t count);

// Threads of a fixed-size group for each of `groups` units of work; 2-D above 2^31 threads, as
// above: linear_index() of the group's position.
Grid groups_for(int64_t groups, uint32_t threads_per_group);

}  // namespace mpsops
