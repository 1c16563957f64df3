// Dispatches on torch's current CUDA stream. Blocks and grid are flat; csrc/cuda/msl knows.
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>
#include <c10/util/Exception.h>

#include <limits>
#include <vector>

#include "csrc/core/launch_grid.h"
#include "csrc/cuda/module.h"

namespace mpsops {

const c10::DeviceType kDeviceType = c10::kCUDA;

namespace {

using mpsops_msl::Launch;

constexpr size_t kAlignment = 16;

size_t aligned(size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// The bytes of all arguments of all dispatches, on the device: one allocation and one copy.
class Bytes {
 public:
  Bytes(const Dispatch* dispatches, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      for (const auto& argument : dispatches[i].arguments) {
        if (argument.kind == Argument::Kind::kBytes) {
          const size_t offset = host_.size();
          host_.resize(offset + aligned(argument.size));
          std::memcpy(host_.data() + offset, argument.bytes(), argument.size);
        }
      }
    }
    if (!host_.empty()) {
      memory_ = c10::cuda::CUDACachingAllocator::get()->allocate(host_.size());
    }
  }

  // From pageable memory: the driver keeps a copy of it before the call returns.
  void upload(cudaStream_t stream) const {
    if (!host_.empty()) {
      C10_CUDA_CHECK(cudaMemcpyAsync(memory_.get(), host_.data(), host_.size(),
                                     cudaMemcpyHostToDevice, stream));
    }
  }

  void* next(uint32_t size) {
    auto* const address = static_cast<std::byte*>(memory_.get()) + offset_;
    offset_ += aligned(size);
    return address;
  }

 private:
  std::vector<std::byte> host_;
  at::DataPtr memory_;
  size_t offset_ = 0;
};

uint64_t volume(const mpsops_msl::Extent& extent) {
  return uint64_t{extent.x} * extent.y * extent.z;
}

void encode_one(const Dispatch& dispatch, Bytes& bytes, cudaStream_t stream) {
  Launch launch{};
  set_launch_grid(launch, dispatch.grid);
  unsigned buffers = 0;
  unsigned memories = 0;
  unsigned shared = 0;
  for (const auto& argument : dispatch.arguments) {
    switch (argument.kind) {
      case Argument::Kind::kTensor:
        launch.buffers[buffers++] = const_cast<void*>(argument.tensor->const_data_ptr());
        break;
      case Argument::Kind::kNone:
        launch.buffers[buffers++] = nullptr;
        break;
      case Argument::Kind::kBytes:
        launch.buffers[buffers++] = bytes.next(argument.size);
        break;
      case Argument::Kind::kThreadgroupMemory:
        launch.threadgroup_offsets[memories++] = shared;
        shared += static_cast<unsigned>(aligned(argument.size));
        break;
    }
  }
  const uint64_t groups = volume(launch.groups);
  TORCH_CHECK(groups <= std::numeric_limits<int32_t>::max(), dispatch.kernel->name(),
              ": grid must have less than 2^31 threadgroups, got ", groups);
  void* parameters[] = {&launch};
  cuda::check(cuLaunchKernel(static_cast<const cuda::CudaKernel*>(dispatch.kernel)->function(),
                             static_cast<unsigned>(groups), 1, 1,
                             static_cast<unsigned>(volume(launch.group_size)), 1, 1, shared, stream,
                             parameters, nullptr),
              dispatch.kernel->name().c_str());
}

}  // namespace

void encode(const Dispatch* dispatches, size_t count) {
  // The driver's calls need the device's context, which a thread of autograd may not have yet.
  C10_CUDA_CHECK(cudaSetDevice(c10::cuda::current_device()));
  const cudaStream_t stream = c10::cuda::getCurrentCUDAStream().stream();
  Bytes bytes(dispatches, count);
  bytes.upload(stream);
  for (size_t i = 0; i < count; ++i) {
    encode_one(dispatches[i], bytes, stream);
  }
}

}  // namespace mpsops
