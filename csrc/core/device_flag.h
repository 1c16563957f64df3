// Errors that only a kernel can see, where the CPU kernel raises: bits OR-ed into a word on the
// device (metal/common/device_flag.h), read once after the launch. Reading waits for the stream,
// which is the price of raising in the call that is wrong; the words are pooled and stay zero, so
// no dispatch is spent on clearing them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace mpsops {

class DeviceFlag {
 public:
  // Without `needed` the word is one that nobody reads: the check is known to pass.
  explicit DeviceFlag(bool needed = true);
  ~DeviceFlag();
  DeviceFlag(const DeviceFlag&) = delete;
  DeviceFlag& operator=(const DeviceFlag&) = delete;

  const at::Tensor& word() const { return word_; }  // bind it as `device atomic_uint*`
  bool needed() const { return needed_; }
  uint32_t read();  // waits if needed; 0 if no bit was raised

 private:
  at::Tensor word_;
  bool needed_;
  bool clean_ = false;
};

}  // namespace mpsops
