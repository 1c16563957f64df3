#include "csrc/ops/pool.h"

#include <algorithm>
#include <bit>

namespace mpsops {

namespace {

constexpr int64_t kLimit32 = int64_t{1} << 31;
constexpr int64_t kChannelsPerThread = 4;
constexpr int64_t kSimdgroupWindow = 64;  // elements from which a window is worth 32 lanes
constexpr int64_t kMaxAxisY = 65535;      // kernels stride over what is above
constexpr uint32_t kThreadsPerGroup = 256;

int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

// Strides in the order batch, channel, depth, height, width; 0 for axes that the tensor lacks.
void fill_strides(int64_t (&strides)[5], const at::Tensor& tensor, int64_t spatial_dims) {
  const int64_t channel_dim = tensor.dim() - spatial_dims - 1;
  strides[0] = channel_dim > 0 ? tensor.stride(0) : 0;
  strides[1] = tensor.stride(channel_dim);
  for (int64_t axis = 0; axis < spatial_dims; ++axis) {
    strides[5 - spatial_dims + axis] = tensor.stride(channel_dim + 1 + axis);
  }
}

void fill_size(int64_t (&size)[3], const at::Tensor& tensor, int64_t spatial_dims) {
  std::fill(size, size + 3, 1);
  for (int64_t axis = 0; axis < spatial_dims; ++axis) {
    size[3 - spatial_dims + axis] = tensor.size(tensor.dim() - spatial_dims + axis);
  }
}

int64_t volume(const int64_t (&size)[3]) {
  return size[0] * size[1] * size[2];
}

int64_t last_offset(const int64_t (&strides)[5], const int64_t (&size)[3]) {
  return (size[0] - 1) * strides[2] + (size[1] - 1) * strides[3] + (size[2] - 1) * strides[4];
}

// Whether neighbours in memory are channels rather than positions of one channel.
bool is_channels_last(const int64_t (&strides)[5], const int64_t (&size)[3]) {
  for (int axis = 2; axis >= 0; --axis) {
    if (size[axis] > 1) {
      return strides[1] < strides[2 + axis];
    }
  }
  return true;
}

}  // namespace

Pool::Pool(int64_t spatial_dims, const at::Tensor& result, const at::Tensor& source,
           const at::Tensor& indices) {
  empty_ = result.numel() == 0 || source.numel() == 0;
  if (empty_) {
    return;
  }
  const int64_t channel_dim = result.dim() - spatial_dims - 1;
  params.batch = channel_dim > 0 ? result.size(0) : 1;
  params.channels = result.size(channel_dim);
  fill_size(params.result_size, result, spatial_dims);
  fill_size(params.source_size, source, spatial_dims);
  fill_strides(params.result_strides, result, spatial_dims);
  fill_strides(params.source_strides, source, spatial_dims);
  const bool result_is_output = indices.defined() && indices.sizes() == result.sizes();
  if (indices.defined()) {
    fill_strides(params.indices_strides, indices, spatial_dims);
  }
  const auto& indices_size = result_is_output ? params.result_size : params.source_size;

  largest_in_channel_ = std::max({last_offset(params.result_strides, params.result_size),
                                  last_offset(params.source_strides, params.source_size),
                                  last_offset(params.indices_strides, indices_size),
                                  volume(params.result_size), volume(params.source_size)});
  int64_t planes = 0;
  for (const auto* strides :
       {&params.result_strides, &params.source_strides, &params.indices_strides}) {
    planes = std::max(planes,
                      (params.batch - 1) * (*strides)[0] + (params.channels - 1) * (*strides)[1]);
  }
  largest_offset_ = largest_in_channel_ + planes;

  // Lanes follow memory on the side that moves more bytes.
  params.channels_last = result.numel() > source.numel()
                             ? is_channels_last(params.result_strides, params.result_size)
                             : is_channels_last(params.source_strides, params.source_size);
  const auto merges = [this](const int64_t (&strides)[5]) {
    return strides[0] == params.channels * strides[1];
  };
  if (params.channels_last == 0 && merges(params.result_strides) && merges(params.source_strides) &&
      merges(params.indices_strides)) {
    params.channels *= params.batch;
    params.batch = 1;
  }
}

bool Pool::fits_32_bits() const {
  bool fits = largest_offset_ < kLimit32 && params.batch < kLimit32 && params.channels < kLimit32;
  for (int axis = 0; axis < 3; ++axis) {
    // pool_window() multiplies the two sizes.
    const int64_t result = params.result_size[axis] + 1;
    const int64_t source = params.source_size[axis] + 1;
    fits = fits && result < kLimit32 / source;
  }
  return fits;
}

bool Pool::wants_simdgroups(at::IntArrayRef windows) const {
  int64_t window = 1;
  bool fits = largest_in_channel_ < kLimit32;
  for (int axis = 0; axis < 3; ++axis) {
    window *= windows[axis];
    fits = fits && params.result_size[axis] + 1 < kLimit32 / (params.source_size[axis] + 1);
  }
  const int64_t sites = volume(params.result_size);
  fits = fits && params.batch * params.channels < kLimit32 / sites;
  return fits && params.channels_last == 0 && window >= kSimdgroupWindow;
}

std::array<int64_t, 3> Pool::adaptive_windows() const {
  std::array<int64_t, 3> windows{};
  for (size_t axis = 0; axis < 3; ++axis) {
    windows[axis] = ceil_div(params.source_size[axis], params.result_size[axis]);
  }
  return windows;
}

const Kernel& Pool::kernel(const char* family, const char* stem, at::ScalarType dtype,
                           at::IntArrayRef windows) {
  simdgroups_ = !windows.empty() && wants_simdgroups(windows);
  std::string name = stem;
  if (simdgroups_) {
    const auto width = static_cast<uint64_t>(windows[2]);
    params.lane_columns = static_cast<uint32_t>(std::min<uint64_t>(32, std::bit_ceil(width)));
    params.units =
        static_cast<uint32_t>(params.batch * params.channels * volume(params.result_size));
    name += "_simd";
  } else if (!fits_32_bits()) {
    name += "_wide";
  }
  return get_kernel(family, kernel_name(name, {dtype}));
}

Grid Pool::grid(const Kernel& kernel) const {
  const uint32_t limit =
      std::bit_floor(std::min(kernel.max_total_threads_per_threadgroup(), kThreadsPerGroup));
  if (simdgroups_) {
    return groups_for(ceil_div(params.units, limit / 32), limit);
  }
  const int64_t sites = volume(params.result_size);
  const int64_t channels = ceil_div(params.channels, kChannelsPerThread);
  const bool channels_last = params.channels_last != 0;
  const auto x = static_cast<uint32_t>(std::min(channels_last ? channels : sites, kLimit32));
  const auto y = static_cast<uint32_t>(std::min(channels_last ? sites : channels, kMaxAxisY));
  const auto z = static_cast<uint32_t>(std::min(params.batch, kMaxAxisY));
  const uint32_t group_x = std::min(limit, std::bit_ceil(x));
  const uint32_t group_y = std::min(limit / group_x, std::bit_ceil(y));
  const uint32_t group_z = std::min(limit / group_x / group_y, std::bit_ceil(z));
  return {Grid::Unit::kThreads, {x, y, z}, {group_x, group_y, group_z}};
}

void check_same_planes(const char* op, int64_t spatial_dims, const at::Tensor& grad_output,
                       const at::Tensor& self) {
  const auto planes = [&](const at::Tensor& tensor) {
    return tensor.sizes().slice(0, tensor.dim() - spatial_dims);
  };
  TORCH_CHECK(planes(grad_output) == planes(self), op, ": grad_output must be of sizes ",
              planes(self), " before the pooled dimensions, got ", planes(grad_output));
}

}  // namespace mpsops
