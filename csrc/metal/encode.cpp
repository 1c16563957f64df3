#include "csrc/metal/encoder.h"
#include "csrc/metal/family.h"
#include "csrc/metal/fork.h"

namespace mpsops {

namespace {

const metal::Pipeline& pipeline_of(const Dispatch& dispatch) {
  return static_cast<const metal::Pipeline&>(*dispatch.kernel);
}

// Kernels that choose the dtype at run time have no bfloat16 in their name.
void check_bfloat(const Dispatch& dispatch) {
  const metal::Pipeline& pipeline = pipeline_of(dispatch);
  if (pipeline.bfloat()) {
    return;
  }
  for (const auto& argument : dispatch.arguments) {
    TORCH_CHECK(
        argument.kind != Argument::Kind::kTensor || argument.tensor->scalar_type() != at::kBFloat16,
        pipeline.name(), ": bfloat16 is not available on this system");
  }
}

void set_tensor(metal::Encoder& encoder, const at::Tensor& tensor, uint32_t index) {
  // An empty view may begin at the end of its buffer, where Metal lets none begin.
  const int64_t first = tensor.numel() == 0 ? 0 : tensor.storage_offset();
  const auto offset = static_cast<uint64_t>(first) * tensor.itemsize();
  // Torch's MPS allocator keeps the id<MTLBuffer> where other devices keep the address.
  encoder.set_buffer(tensor.storage().data(), offset, index);
}

void set_arguments(metal::Encoder& encoder, const Dispatch& dispatch) {
  uint32_t buffer = 0;
  uint32_t memory = 0;
  for (const auto& argument : dispatch.arguments) {
    switch (argument.kind) {
      case Argument::Kind::kTensor:
        set_tensor(encoder, *argument.tensor, buffer++);
        break;
      case Argument::Kind::kNone:
        // Without this the kernel would see what an earlier dispatch left at this index.
        encoder.set_buffer(nullptr, 0, buffer++);
        break;
      case Argument::Kind::kBytes:
        encoder.set_bytes(argument.bytes(), argument.size, buffer++);
        break;
      case Argument::Kind::kThreadgroupMemory:
        encoder.set_threadgroup_memory(argument.size, memory++);
        break;
    }
  }
}

}  // namespace

void encode(const Dispatch* dispatches, size_t count) {
  metal::check_fork();
  for (size_t i = 0; i < count; ++i) {
    check_bfloat(dispatches[i]);
  }
  metal::on_stream([&](metal::Encoder& encoder) {
    for (size_t i = 0; i < count; ++i) {
      encoder.set_pipeline(pipeline_of(dispatches[i]).state());
      set_arguments(encoder, dispatches[i]);
      encoder.dispatch(dispatches[i].grid);
    }
  });
}

}  // namespace mpsops
