// What the runtime asks of a command encoder of Metal. stream.mm answers on a Mac,
// tests/cpp/fake_metal.h elsewhere.
#pragma once

#include <c10/util/FunctionRef.h>

#include "csrc/core/kernel.h"
#include "csrc/metal/compiler.h"

namespace mpsops::metal {

class Encoder {
 public:
  virtual ~Encoder() = default;
  virtual void set_pipeline(Handle state) = 0;
  virtual void set_buffer(const void* buffer, uint64_t offset, uint32_t index) = 0;
  virtual void set_bytes(const void* bytes, uint32_t size, uint32_t index) = 0;
  virtual void set_threadgroup_memory(uint32_t size, uint32_t index) = 0;
  virtual void dispatch(const Grid& grid) = 0;
};

// Calls `work` with the encoder of torch's current MPS stream, which is valid inside the call only.
void on_stream(c10::function_ref<void(Encoder&)> work);

}  // namespace mpsops::metal
