// Dispatches on torch's current CUDA stream. Blocks and grid are flat; csrc/cuda/msl knows.
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>
#include <c10/util/Exception.h>

#include <array>
#include <limits>
#include <vector>

#include "csrc/core/launch_grid.h"
#include "csrc/cuda/module.h"

namespace mpsops {

const c10::DeviceType kDeviceType = c10::kCUDA;

namespace {

using mpsops_msl::Launch;
using mpsops_msl::Passing;

constexpr size_t kAlignment = 16;

size_t aligned(size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// The arguments of a dispatch by buffer index.
class Buffers {
 public:
  explicit Buffers(const Dispatch& dispatch) {
    for (const auto& argument : dispatch.arguments) {
      if (argument.kind != Argument::Kind::kThreadgroupMemory) {
        arguments_.at(count_++) = &argument;
      }
    }
  }

  // Null where the dispatch gives the kernel none.
  const Argument* at(unsigned index) const { return arguments_.at(index); }

 private:
  std::array<const Argument*, mpsops_msl::kMaxBuffers> arguments_{};
  size_t count_ = 0;
};

const cuda::CudaKernel& kernel_of(const Dispatch& dispatch) {
  return *static_cast<const cuda::CudaKernel*>(dispatch.kernel);
}

bool is_uploaded(const Passing& passing, const Argument* argument) {
  return passing.kind == Passing::kAddress && argument != nullptr &&
         argument->kind == Argument::Kind::kBytes;
}

// The bytes of all `constant T*` of all dispatches, on the device: one allocation and one copy.
// Their size is the host's choice, so they cannot be parameters of the kernel as `constant T&` are.
class Uploads {
 public:
  Uploads(const Dispatch* dispatches, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      const Buffers buffers(dispatches[i]);
      for (const Passing& passing : kernel_of(dispatches[i]).passings()) {
        const Argument* const argument = buffers.at(passing.buffer);
        if (is_uploaded(passing, argument)) {
          const size_t offset = host_.size();
          host_.resize(offset + aligned(argument->size));
          std::memcpy(host_.data() + offset, argument->bytes(), argument->size);
        }
      }
    }
  }

  // From pageable memory: the driver keeps a copy of it before the call returns.
  void upload(cudaStream_t stream) {
    if (!host_.empty()) {
      memory_ = c10::cuda::CUDACachingAllocator::get()->allocate(host_.size());
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

// What cuLaunchKernel reads: the launch, then the parameters of the kernel in their order.
class Parameters {
 public:
  Parameters(const Dispatch& dispatch, Launch& launch, Uploads& uploads) {
    pointers_.push_back(&launch);
    const Buffers buffers(dispatch);
    for (const Passing& passing : kernel_of(dispatch).passings()) {
      pointers_.push_back(pass(*dispatch.kernel, passing, buffers.at(passing.buffer), uploads));
    }
  }

  void** get() { return pointers_.data(); }

 private:
  void* pass(const Kernel& kernel, const Passing& passing, const Argument* argument,
             Uploads& uploads) {
    switch (passing.kind) {
      case Passing::kNothing:
        return &nothing_;
      case Passing::kAddress:
        return &(addresses_.at(passing.buffer) = address(passing, argument, uploads));
      case Passing::kValue:
        break;
    }
    TORCH_CHECK(argument != nullptr && argument->kind == Argument::Kind::kBytes &&
                    argument->size >= passing.size,
                kernel.name(), ": buffer ", static_cast<int>(passing.buffer), " must be ",
                passing.size, " bytes for its constant reference, got ",
                argument != nullptr && argument->kind == Argument::Kind::kBytes
                    ? std::to_string(argument->size)
                    : "none");
    return const_cast<void*>(argument->bytes());
  }

  static void* address(const Passing& passing, const Argument* argument, Uploads& uploads) {
    if (is_uploaded(passing, argument)) {
      return uploads.next(argument->size);
    }
    const bool given = argument != nullptr && argument->kind == Argument::Kind::kTensor;
    return given ? const_cast<void*>(argument->tensor->const_data_ptr()) : nullptr;
  }

  c10::SmallVector<void*, 24> pointers_;
  std::array<void*, mpsops_msl::kMaxBuffers> addresses_{};
  std::byte nothing_{};
};

uint64_t volume(const mpsops_msl::Extent& extent) {
  return uint64_t{extent.x} * extent.y * extent.z;
}

void encode_one(const Dispatch& dispatch, Uploads& uploads, cudaStream_t stream) {
  Launch launch{};
  set_launch_grid(launch, dispatch.grid);
  unsigned memories = 0;
  unsigned shared = 0;
  for (const auto& argument : dispatch.arguments) {
    if (argument.kind == Argument::Kind::kThreadgroupMemory) {
      launch.threadgroup_offsets[memories++] = shared;
      shared += static_cast<unsigned>(aligned(argument.size));
    }
  }
  const uint64_t groups = volume(launch.groups);
  TORCH_CHECK(groups <= std::numeric_limits<int32_t>::max(), dispatch.kernel->name(),
              ": grid must have less than 2^31 threadgroups, got ", groups);
  Parameters parameters(dispatch, launch, uploads);
  cuda::check(cuLaunchKernel(kernel_of(dispatch).function(), static_cast<unsigned>(groups), 1, 1,
                             static_cast<unsigned>(volume(launch.group_size)), 1, 1, shared, stream,
                             parameters.get(), nullptr),
              dispatch.kernel->name().c_str());
}

}  // namespace

void encode(const Dispatch* dispatches, size_t count) {
  cuda::enter_context();
  const cudaStream_t stream = c10::cuda::getCurrentCUDAStream().stream();
  Uploads uploads(dispatches, count);
  uploads.upload(stream);
  for (size_t i = 0; i < count; ++i) {
    encode_one(dispatches[i], uploads, stream);
  }
}

}  // namespace mpsops
