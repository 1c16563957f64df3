// Remembers tensors whose values passed a check on the device, so that a backward that gets the
// target of its forward, unchanged, need not wait for the device again.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/StorageImpl.h>
#include <c10/util/intrusive_ptr.h>

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>

#include "csrc/core/device_flag.h"

namespace mpsops {

class CheckedValues {
 public:
  // `bound` is what the values were checked against.
  void insert(const at::Tensor& tensor, int64_t bound);
  // False when in doubt. Writes that autograd does not see (through .data) are not seen here
  // either, so kernels must stay within bounds in any case.
  bool contains(const at::Tensor& tensor, int64_t bound);

 private:
  struct Entry {
    // Weak: neither keeps the memory nor lets the address be used again.
    c10::weak_intrusive_ptr<c10::StorageImpl> storage;
    int64_t offset;
    c10::DimVector sizes;
    c10::DimVector strides;
    uint32_t version;
    int64_t bound;

    bool operator==(const Entry& other) const;
  };
  static Entry make_entry(const at::Tensor& tensor, int64_t bound);

  std::mutex mutex_;
  std::array<std::optional<Entry>, 8> entries_;
  size_t oldest_ = 0;
};

// The flag of a kernel that checks the values of a tensor: needed unless they are known to pass,
// and known once it was read and not raised.
class ValueCheck : public DeviceFlag {
 public:
  // `tensor` outlives the check.
  ValueCheck(CheckedValues& known, const at::Tensor& tensor, int64_t bound, bool needed = true)
      : DeviceFlag(needed && !known.contains(tensor, bound)),
        known_(known),
        tensor_(tensor),
        bound_(bound) {}

  uint32_t read() {
    const uint32_t bits = DeviceFlag::read();
    if (bits == 0 && needed()) {
      known_.insert(tensor_, bound_);
    }
    return bits;
  }

 private:
  CheckedValues& known_;
  const at::Tensor& tensor_;
  int64_t bound_;
};

}  // namespace mpsops
