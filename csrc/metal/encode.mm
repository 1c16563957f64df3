// encode() on torch's current MPS stream. The stream's encoder is torch's own and serial:
// dispatches run in order with those that torch encodes before and after, and torch decides when to
// commit.
#include <ATen/mps/MPSStream.h>

#include <exception>

#include "csrc/metal/library.h"

namespace mpsops {

namespace {

MTLSize to_mtl(const Size& size) { return MTLSizeMake(size.x, size.y, size.z); }

// Torch's MPS allocator keeps the id<MTLBuffer> where other devices keep the address.
id<MTLBuffer> buffer_of(const at::Tensor& tensor) {
  const void* storage = tensor.storage().data();
  return (__bridge id<MTLBuffer>)const_cast<void*>(storage);
}

void bind(id<MTLComputeCommandEncoder> encoder, const Dispatch& dispatch) {
  NSUInteger buffer = 0;
  NSUInteger memory = 0;
  for (const auto& argument : dispatch.arguments) {
    switch (argument.kind) {
      case Argument::Kind::kTensor: {
        const at::Tensor& tensor = *argument.tensor;
        // An empty view may begin at the end of its buffer, where Metal lets none begin.
        const int64_t first = tensor.numel() == 0 ? 0 : tensor.storage_offset();
        const auto offset = static_cast<NSUInteger>(first) * tensor.itemsize();
        [encoder setBuffer:buffer_of(tensor) offset:offset atIndex:buffer++];
        break;
      }
      case Argument::Kind::kNone:
        // Without this the kernel would see what an earlier dispatch left at this index.
        [encoder setBuffer:nil offset:0 atIndex:buffer++];
        break;
      case Argument::Kind::kBytes:
        [encoder setBytes:argument.bytes() length:argument.size atIndex:buffer++];
        break;
      case Argument::Kind::kThreadgroupMemory:
        [encoder setThreadgroupMemoryLength:argument.size atIndex:memory++];
        break;
    }
  }
}

// Kernels that choose the dtype at run time have no bfloat16 in their name.
void check_bfloat(const metal::Pipeline& pipeline, const Dispatch& dispatch) {
  for (const auto& argument : dispatch.arguments) {
    TORCH_CHECK(
        argument.kind != Argument::Kind::kTensor || argument.tensor->scalar_type() != at::kBFloat16,
        pipeline.name(), ": bfloat16 does not compile on this system");
  }
}

void encode_one(id<MTLComputeCommandEncoder> encoder, const Dispatch& dispatch) {
  const auto& pipeline = static_cast<const metal::Pipeline&>(*dispatch.kernel);
  if (!pipeline.bfloat()) {
    check_bfloat(pipeline, dispatch);
  }
  [encoder setComputePipelineState:pipeline.state()];
  bind(encoder, dispatch);
  const MTLSize count = to_mtl(dispatch.grid.count);
  const MTLSize group = to_mtl(dispatch.grid.group);
  if (dispatch.grid.unit == Grid::Unit::kThreads) {
    [encoder dispatchThreads:count threadsPerThreadgroup:group];
  } else {
    [encoder dispatchThreadgroups:count threadsPerThreadgroup:group];
  }
}

}  // namespace

void encode(const Dispatch* dispatches, size_t count) {
  at::mps::MPSStream* stream = at::mps::getCurrentMPSStream();
  // C++ exceptions may not leave a dispatch_sync block.
  __block std::exception_ptr failure;
  dispatch_sync(stream->queue(), ^{
    @autoreleasepool {
      try {
        id<MTLComputeCommandEncoder> encoder = stream->commandEncoder();
        for (size_t i = 0; i < count; ++i) {
          encode_one(encoder, dispatches[i]);
        }
      } catch (...) {
        failure = std::current_exception();
      }
    }
  });
  if (failure) {
    std::rethrow_exception(failure);
  }
}

}  // namespace mpsops
