// The encoder of torch's current MPS stream. It is torch's own and serial: dispatches run in order
// with those that torch encodes before and after, and torch decides when to commit.
#include <ATen/mps/MPSStream.h>

#include "csrc/metal/encoder.h"

namespace mpsops::metal {

namespace {

MTLSize to_mtl(const Size& size) { return MTLSizeMake(size.x, size.y, size.z); }

class StreamEncoder final : public Encoder {
 public:
  explicit StreamEncoder(id<MTLComputeCommandEncoder> encoder) : encoder_(encoder) {}

  void set_pipeline(Handle state) override {
    [encoder_ setComputePipelineState:(__bridge id<MTLComputePipelineState>)state];
  }

  void set_buffer(const void* buffer, uint64_t offset, uint32_t index) override {
    [encoder_ setBuffer:(__bridge id<MTLBuffer>)const_cast<void*>(buffer)
                 offset:offset
                atIndex:index];
  }

  void set_bytes(const void* bytes, uint32_t size, uint32_t index) override {
    [encoder_ setBytes:bytes length:size atIndex:index];
  }

  void set_threadgroup_memory(uint32_t size, uint32_t index) override {
    [encoder_ setThreadgroupMemoryLength:size atIndex:index];
  }

  void dispatch(const Grid& grid) override {
    const MTLSize count = to_mtl(grid.count);
    const MTLSize group = to_mtl(grid.group);
    if (grid.unit == Grid::Unit::kThreads) {
      [encoder_ dispatchThreads:count threadsPerThreadgroup:group];
    } else {
      [encoder_ dispatchThreadgroups:count threadsPerThreadgroup:group];
    }
  }

 private:
  id<MTLComputeCommandEncoder> encoder_;
};

}  // namespace

void on_stream(c10::function_ref<void(Encoder&)> work) {
  at::mps::MPSStream* stream = at::mps::getCurrentMPSStream();
  // Off this queue another thread may end the encoder meanwhile, and newer torch refuses.
  at::mps::dispatch_sync_with_rethrow(stream->queue(), ^{
    @autoreleasepool {
      StreamEncoder encoder(stream->commandEncoder());
      work(encoder);
    }
  });
}

}  // namespace mpsops::metal
